package dev.gossamer.tensor.libtorch;

import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** libtorch's random generator of the processor (mt19937), float32 draws. */
public final class TorchGenerator implements AutoCloseable {
  static {
    Libtorch.boot();
  }

  private final Generator generator;
  private final GeneratorOptional optional;
  private final TensorOptions options = new TensorOptions(ScalarType.Float);

  public TorchGenerator(long seed) {
    generator = torch.createCPUGenerator(seed);
    optional = new GeneratorOptional(generator);
  }

  GeneratorOptional optional() {
    return optional;
  }

  TensorOptions options() {
    return options;
  }

  @Override
  public void close() {
    options.close();
    optional.close();
    generator.close();
  }
}
