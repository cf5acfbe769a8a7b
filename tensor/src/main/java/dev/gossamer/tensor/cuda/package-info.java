/**
 * NVIDIA cards for the modules above: {@link dev.gossamer.tensor.cuda.Card} says what a card is and
 * how much it holds, {@link dev.gossamer.tensor.cuda.Kernels} runs kernels of ours on tensors,
 * {@link dev.gossamer.tensor.cuda.Stopwatch} measures what was given to a device. Nothing of CUDA
 * is loaded before a card is asked for.
 *
 * <pre>{@code
 * Card card = Card.of(Device.of("cuda"));
 * Kernels kernels = Kernels.of(card, Example.class, "scale.cu", List.of());
 * kernels.launch("scale", Grid.of(blocks, threads), tensor, 2f, count);
 * }</pre>
 */
package dev.gossamer.tensor.cuda;
