package dev.gossamer.tensor;

import dev.gossamer.tensor.libtorch.TorchGenerator;
import dev.gossamer.tensor.libtorch.TorchTensor;
import java.nio.charset.StandardCharsets;

/**
 * A named source of random numbers: the same seed and name give the same numbers on every machine.
 * The numbers are drawn on the processor by libtorch's Mersenne twister, so that {@code
 * Generator.seeded(42)} draws what PyTorch's {@code torch.Generator().manual_seed(42)} draws.
 *
 * <p>Not thread-safe; free it with {@link #close()}.
 */
public final class Generator implements AutoCloseable {
  private final TorchGenerator twister;

  private Generator(long seed) {
    this.twister = new TorchGenerator(seed);
  }

  /** The generator of the seed itself, for the starting noise of a video. */
  public static Generator seeded(long seed) {
    return new Generator(seed);
  }

  /** A generator for one purpose of a run; differently named ones are independent. */
  public static Generator named(String name, long seed) {
    long hash = 0xcbf29ce484222325L; // FNV-1a, 64 bit
    for (byte letter : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (letter & 0xff)) * 0x100000001b3L;
    }
    return new Generator(mix(seed ^ mix(hash)));
  }

  private static long mix(long value) { // the finaliser of SplitMix64
    value = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
    value = (value ^ (value >>> 27)) * 0x94d049bb133111ebL;
    return value ^ (value >>> 31);
  }

  /** Standard normal numbers, float32, on the processor. */
  public Tensor normal(long... shape) {
    return Tensor.own(TorchTensor.randn(shape, twister));
  }

  /** Uniform numbers in [0, 1), float32, on the processor. */
  public Tensor uniform(long... shape) {
    return Tensor.own(TorchTensor.rand(shape, twister));
  }

  @Override
  public void close() {
    twister.close();
  }
}
