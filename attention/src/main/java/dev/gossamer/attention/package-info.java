/**
 * The seam between transformers and ways to attend: a transformer layer calls {@link
 * dev.gossamer.attention.Attention}, a user picks an {@link
 * dev.gossamer.attention.AttentionMethod}, a video opens one {@link
 * dev.gossamer.attention.AttentionSession}.
 */
package dev.gossamer.attention;
