package dev.gossamer.tensor.cuda;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.libtorch.cuda.KernelArguments;
import dev.gossamer.tensor.libtorch.cuda.KernelCache;
import dev.gossamer.tensor.libtorch.cuda.KernelCompiler;
import dev.gossamer.tensor.libtorch.cuda.KernelModule;
import java.util.List;

/**
 * The kernels of one CUDA C++ source on one card: compiled for it by NVRTC when they are first
 * wanted, kept on disk under all that decides their machine code, launched on libtorch's current
 * stream. Safe to use from several threads; keep the object, it is not cheap to make.
 */
public final class Kernels {
  private static final ThreadLocal<KernelArguments> ARGUMENTS =
      ThreadLocal.withInitial(KernelArguments::new);

  private final Card card;
  private final String name;
  private final KernelModule module;

  private Kernels(Card card, String name, KernelModule module) {
    this.card = card;
    this.name = name;
    this.module = module;
  }

  /**
   * @param options of NVRTC beside the architecture and the headers of CUDA
   * @throws GossamerException if the source does not compile
   * @throws dev.gossamer.tensor.failure.EnvironmentException if NVRTC or its headers are not here
   */
  public static Kernels of(Card card, KernelSource source, List<String> options) {
    List<String> all = source.options(card.architecture(), options);
    KernelCache cache = new KernelCache(KernelSource.cacheFolder());
    KernelCache.Key key =
        new KernelCache.Key(source.code(), all, KernelCompiler.version(), card.driver());
    byte[] image = cache.image(key, () -> source.compile(all));
    try {
      return new Kernels(card, source.name(), new KernelModule(card.index(), image));
    } catch (GossamerException refused) { // by a driver that another machine's cache does not know
      cache.forget(key);
      return new Kernels(card, source.name(), new KernelModule(card.index(), source.compile(all)));
    }
  }

  public Card card() {
    return card;
  }

  /**
   * Gives a kernel to the card.
   *
   * @param arguments in the order of its parameters: a {@link Tensor} for a pointer to its elements
   *     (contiguous, on this card), likewise a {@link Scratch.Part}, a {@code Long}, {@code
   *     Integer}, {@code Float} or {@code Double}, or {@code byte[]} for a structure by value
   * @throws IllegalArgumentException for anything else
   */
  public void launch(String kernel, Grid grid, Object... arguments) {
    KernelArguments packed = ARGUMENTS.get().clear();
    for (Object argument : arguments) {
      if (argument instanceof Scratch.Part part) {
        packed.add(part.address());
      } else if (argument instanceof Tensor tensor) {
        if (tensor.device().isCpu() || tensor.device().index() != card.index()) {
          throw new IllegalArgumentException(
              "Kernel " + kernel + " runs on cuda:" + card.index() + ", not on " + tensor.device());
        }
        packed.add(tensor.address());
      } else if (argument instanceof Long number) {
        packed.add(number.longValue());
      } else if (argument instanceof Integer number) {
        packed.add(number.intValue());
      } else if (argument instanceof Float number) {
        packed.add(number.floatValue());
      } else if (argument instanceof Double number) {
        packed.add(number.doubleValue());
      } else if (argument instanceof byte[] structure) {
        packed.add(structure);
      } else {
        throw new IllegalArgumentException(
            "Kernel " + kernel + " of " + name + " takes no " + argument);
      }
    }
    module
        .kernel(kernel)
        .launch(
            new int[] {grid.x(), grid.y(), grid.z()},
            new int[] {grid.threads(), 1, 1},
            grid.sharedBytes(),
            packed);
  }
}
