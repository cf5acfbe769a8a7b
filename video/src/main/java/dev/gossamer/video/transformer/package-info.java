/**
 * What the families' transformers share around their attention: {@link
 * dev.gossamer.video.transformer.Patches} between latents and tokens, {@link
 * dev.gossamer.video.transformer.Heads} that an attention takes, and {@link
 * dev.gossamer.video.transformer.RowRuns} that keep all other work within the cache.
 */
package dev.gossamer.video.transformer;
