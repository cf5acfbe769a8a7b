/**
 * HunyuanVideo: {@link dev.gossamer.video.hunyuan.HunyuanTransformer}, whose attention takes video
 * and text together, and its autoencoder.
 */
package dev.gossamer.video.hunyuan;
