/**
 * Clustered attention for all heads at once, as a card wants it: labels, layouts, selections are
 * tensors on the device, and the host reads next to nothing of them. {@link
 * dev.gossamer.attention.cuda.HeadKMeans} and {@link dev.gossamer.attention.cuda.HeadLayouts} make
 * clusters, {@link dev.gossamer.attention.cuda.HeadSelection} says who attends to what, {@link
 * dev.gossamer.attention.cuda.TiledAttention} attends. All of it is operations of libtorch: the
 * portable execution, which runs on every card (and, slowly, on a processor), and against which
 * kernels are checked.
 */
package dev.gossamer.attention.cuda;
