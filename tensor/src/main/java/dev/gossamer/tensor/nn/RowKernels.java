package dev.gossamer.tensor.nn;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.cuda.Grid;
import dev.gossamer.tensor.cuda.KernelSource;
import dev.gossamer.tensor.cuda.Kernels;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What stands between the products of a transformer, on a card in bf16 or fp16: each row is read
 * once and written once ({@code rows.cu}), where a chain of operations passes over it again and
 * again. The chain is what every other place uses, and the reference for the kernels; both
 * calculate in float32.
 */
final class RowKernels {
  /** System property: {@code plain} leaves the kernels alone, to compare with them. */
  static final String PROPERTY = "gossamer.cuda.rows";

  private static final Logger LOG = LoggerFactory.getLogger(RowKernels.class);
  private static final Map<Kind, Optional<RowKernels>> LOADED = new ConcurrentHashMap<>();

  private static final int LEAST_CAPABILITY = 80;
  private static final int THREADS = 128;
  private static final int CHUNK = 8; // columns that a thread takes at once
  private static final int ALIGNMENT = 16; // bytes that a thread loads at once
  private static final int WIDEST = 8192; // a thread's part of the row stays in registers

  /** A size of head that divides a row which is not laid out by heads. */
  static final int COLUMNS = 64;

  private static final long NONE = 0;

  // What rows.cu calls the normalisations.
  private static final int NO_NORM = 0;
  private static final int RMS_OF_ROW = 1;
  private static final int RMS_OF_HEAD = 2;
  private static final int LAYER_OF_HEAD = 3;

  /** What a compiled source is for. */
  private record Kind(Device device, long width, DType dtype) {}

  private final Kernels kernels;

  private RowKernels(Kernels kernels) {
    this.kernels = kernels;
  }

  /** Whether fused operations are wanted at all for tensors of this type in this place. */
  static boolean wanted(Device device, DType dtype) {
    return !device.isCpu()
        && (dtype == DType.BFLOAT16 || dtype == DType.FLOAT16)
        && !"plain".equals(System.getProperty(PROPERTY));
  }

  /**
   * The kernels for rows that a product made; empty where the chain of operations has to do.
   *
   * @param rows {@code [1, rows, width]}
   */
  static Optional<RowKernels> of(Tensor rows) {
    return of(rows, rows.dtype());
  }

  /**
   * The kernels for rows of a residual stream; empty where the chain of operations has to do.
   *
   * @param x {@code [1, rows, width]} FLOAT32
   * @param dtype of what is added to it, and of its norm
   */
  static Optional<RowKernels> ofResidual(Tensor x, DType dtype) {
    return x.dtype() == DType.FLOAT32 ? of(x, dtype) : Optional.empty();
  }

  private static Optional<RowKernels> of(Tensor rows, DType dtype) {
    return wanted(rows.device(), dtype) && fits(rows)
        ? LOADED.computeIfAbsent(new Kind(rows.device(), rows.size(2), dtype), RowKernels::load)
        : Optional.empty();
  }

  private static Optional<RowKernels> load(Kind kind) {
    Card card = Card.of(kind.device());
    if (card.capability() < LEAST_CAPABILITY) {
      return Optional.empty();
    }
    try {
      KernelSource source = KernelSource.of(RowKernels.class, "rows.cu");
      List<String> options = options(kind.width(), kind.dtype());
      return Optional.of(new RowKernels(Kernels.of(card, source, options)));
    } catch (GossamerException e) {
      LOG.warn("Norms without kernels of their own, by libtorch: {}", e.getMessage());
      return Optional.empty();
    }
  }

  /** What the source is compiled with. */
  static List<String> options(long width, DType dtype) {
    return List.of("-DWIDTH=" + width, "-DELEMENT_FP16=" + (dtype == DType.FLOAT16 ? 1 : 0));
  }

  /** Whether rows lie as the kernels want them: some, of contiguous columns, each row aligned. */
  static boolean fits(Tensor rows) {
    return rows.dims() == 3
        && rows.size(0) == 1
        && rows.size(1) > 0
        && rows.size(2) % CHUNK == 0
        && rows.size(2) <= WIDEST
        && rows.stride(2) == 1
        && rows.stride(1) % CHUNK == 0
        && rows.firstAddress() % ALIGNMENT == 0;
  }

  /**
   * Whether heads can be filled from projected rows.
   *
   * @param rows {@code [1, rows, width]}
   * @param to {@code [1, heads, rows, headDim]}
   */
  static boolean fits(Tensor rows, Optional<Norm> norm, Tensor to) {
    long headDim = to.size(3);
    return fits(rows)
        && (headDim == 64 || headDim == 128)
        && rows.dtype() == to.dtype()
        && to.stride(3) == 1
        && to.stride(2) % CHUNK == 0
        && to.stride(1) % CHUNK == 0
        && norm.map(n -> kind(n, rows, to) != NO_NORM).orElse(true);
  }

  /** Number of a normalisation; {@link #NO_NORM} if the kernel has none like it. */
  private static int kind(Norm norm, Tensor rows, Tensor to) {
    boolean ofHead = norm.weight().size(0) == to.size(3);
    if (norm instanceof LayerNorm) {
      return ofHead ? LAYER_OF_HEAD : NO_NORM;
    }
    return ofHead ? RMS_OF_HEAD : norm.weight().size(0) == rows.size(2) ? RMS_OF_ROW : NO_NORM;
  }

  /**
   * The norm of a residual stream.
   *
   * @param x {@code [1, rows, width]} FLOAT32
   * @return the same shape
   */
  Tensor norm(Tensor x, LayerNorm norm, DType dtype) {
    return pass(x, Optional.empty(), Optional.empty(), norm, dtype);
  }

  /**
   * x += y gate, and the norm of the sum.
   *
   * @param x {@code [1, rows, width]} FLOAT32, changed in place
   * @param y the same shape
   * @param gate {@code [1, width]} FLOAT32
   * @return the same shape, in y's type
   */
  Tensor addThenNorm(Tensor x, Tensor y, Optional<Tensor> gate, LayerNorm norm) {
    return pass(x, Optional.of(y), gate, norm, y.dtype());
  }

  /** x += y gate; see {@link #addThenNorm}. */
  void add(Tensor x, Tensor y, Tensor gate) {
    launch(x, Optional.of(y), Optional.of(gate), NONE, NONE, 0, NONE, 0);
  }

  private Tensor pass(
      Tensor x, Optional<Tensor> y, Optional<Tensor> gate, LayerNorm norm, DType dtype) {
    Tensor out = Tensor.empty(dtype, x.device(), x.shape());
    launch(
        x,
        y,
        gate,
        Precision.float32(norm.weight()),
        Precision.float32(norm.bias()),
        norm.eps(),
        out,
        out.stride(1));
    return out;
  }

  private void launch(
      Tensor x,
      Optional<Tensor> y,
      Optional<Tensor> gate,
      Object weight,
      Object bias,
      double eps,
      Object out,
      long outRow) {
    kernels.launch(
        "add_layer_norm",
        grid(x),
        x.firstAddress(),
        x.stride(1),
        y.map(Tensor::firstAddress).orElse(NONE),
        y.map(added -> added.stride(1)).orElse(NONE),
        gate.isPresent() ? gate.get() : (Object) NONE,
        weight,
        bias,
        (float) eps,
        out,
        outRow);
  }

  /**
   * Rows normalised as a whole.
   *
   * @param rows {@code [1, rows, width]}, width a multiple of 64
   * @return the same shape and type
   */
  Tensor norm(Tensor rows, RmsNorm norm) {
    Tensor out = Tensor.empty(rows.dtype(), rows.device(), rows.shape());
    project(
        rows,
        Optional.of(norm),
        Optional.empty(),
        AttentionHeads.ofRows(out, rows.size(2) / COLUMNS));
    return out;
  }

  /**
   * Rows normalised, turned and laid out by heads.
   *
   * @param rows {@code [1, rows, width]}
   * @param table {@code [rows, headDim]} FLOAT32
   * @param to {@code [1, heads, rows, headDim]}, which {@link #fits}
   */
  void project(Tensor rows, Optional<Norm> norm, Optional<Tensor> table, Tensor to) {
    kernels.launch(
        "project_heads_" + to.size(3),
        grid(rows),
        rows.firstAddress(),
        rows.stride(1),
        norm.map(n -> kind(n, rows, to)).orElse(NO_NORM),
        norm.isPresent() ? Precision.float32(norm.get().weight()) : (Object) NONE,
        norm.isPresent() && norm.get() instanceof LayerNorm layer
            ? Precision.float32(layer.bias())
            : (Object) NONE,
        norm.map(n -> (float) n.eps()).orElse(0f),
        table.isPresent() ? table.get() : (Object) NONE,
        to.firstAddress(),
        to.stride(1),
        to.stride(2));
  }

  private static Grid grid(Tensor rows) {
    return Grid.of(Math.toIntExact(rows.size(1)), THREADS);
  }
}
