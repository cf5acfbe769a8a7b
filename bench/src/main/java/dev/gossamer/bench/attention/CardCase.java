package dev.gossamer.bench.attention;

import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The self-attention of a released model at a size that it is used at, in numbers made up: nobody's
 * weights are needed.
 */
public enum CardCase {
  WAN_1_3B("wan-1.3b", 32_760, 12, 128),
  COGVIDEOX_2B("cogvideox-2b", 28_576, 30, 64),
  WAN_14B("wan-14b", 75_600, 40, 128),
  HUNYUAN_81("hunyuan-81", 75_856, 24, 128),
  HUNYUAN_129("hunyuan-129", 119_056, 24, 128),
  HUNYUAN_176K("hunyuan-176k", 176_656, 24, 128);

  private static final int CENTRES = 500;
  private static final double SPREAD = 0.6;

  private final String label;
  private final int tokens;
  private final int heads;
  private final int headDim;

  CardCase(String label, int tokens, int heads, int headDim) {
    this.label = label;
    this.tokens = tokens;
    this.heads = heads;
    this.headDim = headDim;
  }

  /** The name on the command line. */
  public String label() {
    return label;
  }

  String description() {
    return label + " " + tokens + " x " + heads + " x " + headDim;
  }

  int tokens() {
    return tokens;
  }

  int heads() {
    return heads;
  }

  int headDim() {
    return headDim;
  }

  TokenGrid grid() {
    return TokenGrid.video(1, 1, tokens);
  }

  /**
   * @throws UsageException if there is none of that name
   */
  public static CardCase ofOption(String name) {
    return Arrays.stream(values())
        .filter(shape -> shape.label.equals(name))
        .findFirst()
        .orElseThrow(
            () -> new UsageException("Unknown shape '" + name + "'", "Use one of: " + labels()));
  }

  /** All names, for help. */
  public static String labels() {
    return Arrays.stream(values()).map(CardCase::label).collect(Collectors.joining(", "));
  }

  /**
   * Queries and keys around {@value #CENTRES} centres that have as unequal shares of them as a
   * Dirichlet(2) distribution gives, so that clusters are as uneven as they are in models; values
   * likewise. In the current scope.
   */
  QueryKeyValue inputs(Device device, DType dtype) {
    try (Scope scope = Scope.open();
        Generator generator = Generator.named(label, 0)) {
      List<Tensor> made =
          List.of(
              around(generator, device, dtype),
              around(generator, device, dtype),
              around(generator, device, dtype));
      made.forEach(scope::keep);
      return new QueryKeyValue(made.get(0), made.get(1), made.get(2));
    }
  }

  private Tensor around(Generator generator, Device device, DType dtype) {
    double[] ends = dirichlet(generator);
    float[] places = generator.uniform(tokens).toFloats();
    int[] centre = new int[tokens];
    for (int token = 0; token < tokens; token++) {
      int at = Arrays.binarySearch(ends, places[token]);
      centre[token] = Math.min(CENTRES - 1, at < 0 ? -at - 1 : at);
    }
    Tensor centres = generator.normal(heads, CENTRES, headDim).to(device);
    Tensor noise = generator.normal(tokens, headDim).mul(SPREAD).to(device);
    return centres
        .to(dtype)
        .indexSelect(1, Tensor.of(centre, tokens).to(device))
        .add(noise.to(dtype))
        .unsqueeze(0)
        .contiguous();
  }

  /** Where each centre's share ends, the last at 1: gamma variables of shape 2, over their sum. */
  private static double[] dirichlet(Generator generator) {
    float[] first = generator.uniform(CENTRES).toFloats();
    float[] second = generator.uniform(CENTRES).toFloats();
    double[] ends = new double[CENTRES];
    double sum = 0;
    for (int j = 0; j < CENTRES; j++) {
      sum += -Math.log1p(-first[j]) - Math.log1p(-second[j]);
      ends[j] = sum;
    }
    for (int j = 0; j < CENTRES; j++) {
      ends[j] /= sum;
    }
    return ends;
  }
}
