/**
 * One mixture-of-experts layer, forward and backward, for the three structures at equal settings.
 */
package dev.gossamer.bench.moe;
