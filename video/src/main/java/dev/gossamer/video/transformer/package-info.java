/**
 * What the families' transformers share: {@link dev.gossamer.video.transformer.Patches} between
 * latents and tokens.
 */
package dev.gossamer.video.transformer;
