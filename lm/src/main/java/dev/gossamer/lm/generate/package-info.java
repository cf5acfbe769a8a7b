/**
 * Text from a model, token by token: how a token is chosen ({@link
 * dev.gossamer.lm.generate.Sampler}), and when it ends ({@link
 * dev.gossamer.lm.generate.Completion}).
 */
package dev.gossamer.lm.generate;
