/**
 * Tokens sorted by cluster and the attention over their ragged blocks. Read {@link
 * dev.gossamer.attention.clusters.ClusterLayout}, then {@link
 * dev.gossamer.attention.clusters.VariableBlockAttention}.
 */
package dev.gossamer.attention.clusters;
