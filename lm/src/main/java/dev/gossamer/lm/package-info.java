/**
 * Decoder-only language models with mixtures of experts: what a model is ({@link
 * dev.gossamer.lm.ModelSettings}) and what it computes ({@link dev.gossamer.lm.LanguageModel}),
 * with the way back written out, as {@link dev.gossamer.moe.MoeLayer} has it.
 */
package dev.gossamer.lm;
