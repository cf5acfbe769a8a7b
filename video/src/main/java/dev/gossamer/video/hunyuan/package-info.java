/**
 * HunyuanVideo: {@link dev.gossamer.video.hunyuan.HunyuanTransformer}, whose attention takes video
 * and text together, {@link dev.gossamer.video.hunyuan.HunyuanAutoencoder}, and the {@link
 * dev.gossamer.video.hunyuan.HunyuanFamily} that wires them.
 */
package dev.gossamer.video.hunyuan;
