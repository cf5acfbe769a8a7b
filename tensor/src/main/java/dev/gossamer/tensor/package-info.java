/**
 * Tensors in native memory, their owners, random numbers and threads. Read {@link
 * dev.gossamer.tensor.Scope} first, then {@link dev.gossamer.tensor.Tensor}.
 *
 * <pre>{@code
 * try (Scope scope = Scope.open(); Generator random = Generator.seeded(42)) {
 *   Tensor noise = random.normal(4, 8);
 *   float[] lengths = noise.norm(1, false).toFloats();
 * }
 * }</pre>
 */
package dev.gossamer.tensor;
