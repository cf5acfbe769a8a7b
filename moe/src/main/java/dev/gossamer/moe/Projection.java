package dev.gossamer.moe;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A linear map that all tokens share, with its way back: the gate, BigMac's descent and ascent, and
 * those of the language model around them. Its products are divided over threads, always in the
 * same blocks, so that the number of threads changes no bits.
 *
 * @param weight {@code [out, in]}
 * @param bias {@code [out]}
 */
public record Projection(Parameter weight, Optional<Parameter> bias) {
  private static final int TOKENS = 256;
  private static final int OUTPUTS = 64;

  /** Weight, and bias if there is one. */
  public List<Parameter> parameters() {
    List<Parameter> all = new ArrayList<>(List.of(weight));
    bias.ifPresent(all::add);
    return all;
  }

  /**
   * @param x {@code [tokens, in]} in the weight's type
   * @return {@code [tokens, out]}
   */
  public Tensor forward(Tensor x, Threads threads) {
    Tensor y = Tensor.empty(x.dtype(), x.device(), x.size(0), weight.value().size(0));
    eachBlock(
        x.size(0),
        TOKENS,
        threads,
        (from, count) -> {
          Tensor some = y.narrow(0, from, count);
          Tensor.matmulInto(some, x.narrow(0, from, count), weight.value().transpose(0, 1));
          bias.ifPresent(parameter -> some.addInPlace(parameter.value()));
        });
    return y;
  }

  /** Adds the weights' gradients and returns the input's. */
  public Tensor backward(Tensor x, Tensor ofOutput, int microBatch, Threads threads) {
    addGradients(x, ofOutput, microBatch, threads);
    Tensor ofInput = Tensor.empty(x.dtype(), x.device(), x.shape());
    eachBlock(
        x.size(0),
        TOKENS,
        threads,
        (from, count) -> {
          Tensor some = ofOutput.narrow(0, from, count);
          Tensor.matmulInto(ofInput.narrow(0, from, count), some, weight.value());
        });
    return ofInput;
  }

  /** Adds the weights' gradients, and the input's to those that it has already. */
  void backwardInto(Tensor ofInput, Tensor x, Tensor ofOutput, int microBatch, Threads threads) {
    addGradients(x, ofOutput, microBatch, threads);
    eachBlock(
        x.size(0),
        TOKENS,
        threads,
        (from, count) ->
            ofInput
                .narrow(0, from, count)
                .addMatmulInPlace(ofOutput.narrow(0, from, count), weight.value()));
  }

  private void addGradients(Tensor x, Tensor ofOutput, int microBatch, Threads threads) {
    Tensor sums = weight.gradientOf(microBatch);
    eachBlock(
        ofOutput.size(1),
        OUTPUTS,
        threads,
        (from, count) ->
            sums.narrow(0, from, count)
                .addMatmulInPlace(ofOutput.narrow(1, from, count).transpose(0, 1), x));
    bias.ifPresent(parameter -> parameter.add(ofOutput.sum(false, 0), microBatch));
  }

  private interface Block {
    void of(long from, long count);
  }

  /** A card takes all at once. */
  private void eachBlock(long all, int part, Threads threads, Block work) {
    long size = weight.value().device().isCpu() ? part : Math.max(1, all);
    threads.forEach(
        (int) ((all + size - 1) / size),
        block -> work.of(block * size, Math.min(size, all - block * size)));
  }
}
