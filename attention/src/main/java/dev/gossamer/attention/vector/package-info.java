/**
 * Products, exponentials and maxima on the processor's vectors, in plain Java: what a clustered
 * attention needs of them, fused and without a native call. Only this package touches {@code
 * jdk.incubator.vector}; {@link dev.gossamer.attention.vector.VectorApi} says whether it may.
 */
package dev.gossamer.attention.vector;
