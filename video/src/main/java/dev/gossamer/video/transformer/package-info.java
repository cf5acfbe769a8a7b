/**
 * What the families' transformers share around their attention: {@link
 * dev.gossamer.video.transformer.Patches} between latents and tokens, and {@link
 * dev.gossamer.video.transformer.Heads} that an attention takes.
 */
package dev.gossamer.video.transformer;
