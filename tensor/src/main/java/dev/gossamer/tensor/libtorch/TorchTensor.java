package dev.gossamer.tensor.libtorch;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Context;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.PointerConsumer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.MemoryFormat;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * One libtorch tensor and what libtorch can do with it, free of every type of the bindings: the
 * door to libtorch. Element types are libtorch's own numbers, devices its names ({@code cpu},
 * {@code cuda:0}). Nothing here knows of ownership; {@code dev.gossamer.tensor.Tensor} adds that.
 *
 * <p>Temporary native objects (scalars, optionals) are freed inside each operation. libtorch's
 * errors become a {@link GossamerException} that names the operation and carries libtorch's first
 * line.
 */
public final class TorchTensor implements AutoCloseable {
  static {
    Libtorch.boot();
  }

  private static final boolean MULTIPLIES_BFLOAT16 = Libtorch.multipliesBfloat16();
  private static final AtomicLong LIVE = new AtomicLong();

  /** Of embedding_bag. */
  private static final long SUM = 0;

  private static final long MAX = 2;

  private static final NamedOperator GROUPED_PRODUCT = new NamedOperator("aten::_grouped_mm");
  private static final NamedOperator ACTIVATED_PRODUCT =
      new NamedOperator("aten::_addmm_activation");

  private static final TensorOptional NO_TENSOR = new TensorOptional();
  private static final ScalarTypeOptional NO_TYPE = new ScalarTypeOptional();
  private static final MemoryFormatOptional NO_FORMAT = new MemoryFormatOptional();
  private static final ScalarOptional EUCLIDEAN = new ScalarOptional(new Scalar(2.0));

  /**
   * Buffers under tensors, by address. A view shares the storage of what it views but not its Java
   * object, so the storage itself must keep the buffer: libtorch tells {@link #FORGET} when it
   * goes.
   */
  private static final Map<Long, Queue<ByteBuffer>> FOREIGN = new ConcurrentHashMap<>();

  private static final PointerConsumer FORGET =
      new PointerConsumer() {
        @Override
        public void call(Pointer memory) {
          forget(memory.address());
        }
      };

  private final Tensor at;

  private TorchTensor(Tensor at) {
    this.at = at;
    LIVE.incrementAndGet();
  }

  /** Tensors that are open now, in the whole process. */
  public static long live() {
    return LIVE.get();
  }

  /** Frees the tensor. The caller makes sure that this happens once. */
  @Override
  public void close() {
    LIVE.decrementAndGet();
    at.close();
  }

  // Making tensors

  public static TorchTensor empty(long[] shape, int dtype, String device) {
    return make("empty", dtype, device, options -> torch.empty(shape, options, null));
  }

  public static TorchTensor full(long[] shape, double value, int dtype, String device) {
    return make(
        "full",
        dtype,
        device,
        options -> {
          try (Scalar scalar = new Scalar(value)) {
            return torch.full(shape, scalar, options);
          }
        });
  }

  public static TorchTensor arange(long end, int dtype, String device) {
    return make(
        "arange",
        dtype,
        device,
        options -> {
          try (Scalar scalar = new Scalar(end)) {
            return torch.arange(scalar, options);
          }
        });
  }

  public static TorchTensor randn(long[] shape, TorchGenerator generator) {
    return of("randn", () -> torch.randn(shape, generator.optional(), generator.options()));
  }

  public static TorchTensor rand(long[] shape, TorchGenerator generator) {
    return of("rand", () -> torch.rand(shape, generator.optional(), generator.options()));
  }

  public static TorchTensor cat(List<TorchTensor> parts, long dim) {
    return of(
        "cat",
        () -> {
          try (TensorVector vector = vector(parts)) {
            return torch.cat(vector, dim);
          }
        });
  }

  public static TorchTensor stack(List<TorchTensor> parts, long dim) {
    return of(
        "stack",
        () -> {
          try (TensorVector vector = vector(parts)) {
            return torch.stack(vector, dim);
          }
        });
  }

  /**
   * A tensor over memory that somebody else owns, for example a mapped file: no copy.
   *
   * @param memory direct buffer; position 0 is the first byte; kept alive as long as the tensor or
   *     any view of it
   */
  public static TorchTensor over(ByteBuffer memory, long[] shape, int dtype) {
    BytePointer pointer = new BytePointer(memory);
    FOREIGN.compute(
        pointer.address(),
        (at, buffers) -> {
          Queue<ByteBuffer> all = buffers == null ? new ArrayDeque<>() : buffers;
          all.add(memory);
          return all;
        });
    try (TensorOptions options = new TensorOptions(type(dtype))) {
      return new TorchTensor(torch.from_blob(pointer, shape, FORGET, options));
    } catch (RuntimeException e) {
      forget(pointer.address());
      throw failure("from_blob", e);
    }
  }

  /** Drops one buffer at an address; called when libtorch frees the last view of its memory. */
  private static void forget(long address) {
    FOREIGN.computeIfPresent(
        address,
        (at, buffers) -> {
          buffers.poll();
          return buffers.isEmpty() ? null : buffers;
        });
  }

  // Facts

  public long[] shape() {
    return at.shape();
  }

  public int dtype() {
    return at.scalar_type().value;
  }

  public String device() {
    if (!at.is_cuda()) {
      return "cpu";
    }
    try (Device device = at.device()) {
      return "cuda:" + device.index();
    }
  }

  public long stride(long dim) {
    return at.stride(dim);
  }

  public boolean isContiguous() {
    return at.is_contiguous();
  }

  // Reading and writing elements; the tensor is contiguous and on the processor, and not empty: an
  // empty one may have no memory at all

  public void read(float[] to) {
    try (FloatPointer pointer = at.data_ptr_float()) {
      pointer.get(to);
    }
  }

  public void read(double[] to) {
    try (DoublePointer pointer = at.data_ptr_double()) {
      pointer.get(to);
    }
  }

  public void read(long[] to) {
    try (LongPointer pointer = at.data_ptr_long()) {
      pointer.get(to);
    }
  }

  public void read(int[] to) {
    try (IntPointer pointer = at.data_ptr_int()) {
      pointer.get(to);
    }
  }

  public void write(float[] from) {
    try (FloatPointer pointer = at.data_ptr_float()) {
      pointer.put(from);
    }
  }

  public void write(double[] from) {
    try (DoublePointer pointer = at.data_ptr_double()) {
      pointer.put(from);
    }
  }

  public void write(long[] from) {
    try (LongPointer pointer = at.data_ptr_long()) {
      pointer.put(from);
    }
  }

  public void write(int[] from) {
    try (IntPointer pointer = at.data_ptr_int()) {
      pointer.put(from);
    }
  }

  /** The tensor's own memory as bytes in native order; valid as long as the tensor is open. */
  public ByteBuffer bytes() {
    try (Pointer data = at.data_ptr();
        BytePointer pointer = new BytePointer(data)) {
      return pointer.capacity(at.nbytes()).asByteBuffer().order(ByteOrder.nativeOrder());
    }
  }

  /** Where the elements begin; 0 if there are none. */
  public long address() {
    try (Pointer data = at.data_ptr()) {
      return data == null ? 0 : data.address();
    }
  }

  public double item() {
    try {
      return at.item_double();
    } catch (RuntimeException e) {
      throw failure("item", e);
    }
  }

  // Writing a product into memory that exists

  /** out = left right, for matrices or batches of them. */
  public static void matmulInto(TorchTensor out, TorchTensor left, TorchTensor right) {
    if (left.lacksProducts(right)) {
      try (TorchTensor product = left.matmul(right)) {
        out.copyFrom(product);
      }
      return;
    }
    change("matmul", () -> torch.matmul_out(out.at, left.at, right.at));
  }

  /** out = softmax(in) along a dimension; out may be in. */
  public static void softmaxInto(TorchTensor out, TorchTensor in, long dim) {
    change("softmax", () -> torch.softmax_out(out.at, in.at, dim));
  }

  /** out = in sigmoid(in), of one type; out may be in. */
  public static void siluInto(TorchTensor out, TorchTensor in) {
    change("silu", () -> torch.silu_out(out.at, in.at));
  }

  // Operations, each with a result of its own or a view

  public TorchTensor add(TorchTensor other) {
    return of("add", () -> at.add(other.at));
  }

  public TorchTensor sub(TorchTensor other) {
    return of("sub", () -> at.sub(other.at));
  }

  public TorchTensor mul(TorchTensor other) {
    return of("mul", () -> at.mul(other.at));
  }

  public TorchTensor div(TorchTensor other) {
    return of("div", () -> at.div(other.at));
  }

  public TorchTensor maximum(TorchTensor other) {
    return of("maximum", () -> torch.maximum(at, other.at));
  }

  public TorchTensor eq(TorchTensor other) {
    return of("eq", () -> at.eq(other.at));
  }

  public TorchTensor add(double value) {
    return of("add", () -> scalar(value, s -> at.add(s)));
  }

  public TorchTensor sub(double value) {
    return of("sub", () -> scalar(value, s -> at.sub(s)));
  }

  public TorchTensor mul(double value) {
    return of("mul", () -> scalar(value, s -> at.mul(s)));
  }

  public TorchTensor div(double value) {
    return of("div", () -> scalar(value, s -> at.div(s)));
  }

  public TorchTensor eq(double value) {
    return of("eq", () -> scalar(value, s -> at.eq(s)));
  }

  public TorchTensor lt(double value) {
    return of("lt", () -> scalar(value, s -> at.lt(s)));
  }

  public TorchTensor gt(double value) {
    return of("gt", () -> scalar(value, s -> at.gt(s)));
  }

  public TorchTensor neg() {
    return of("neg", () -> at.neg());
  }

  public TorchTensor exp() {
    return of("exp", () -> at.exp());
  }

  public TorchTensor log() {
    return of("log", () -> at.log());
  }

  public TorchTensor sqrt() {
    return of("sqrt", () -> at.sqrt());
  }

  public TorchTensor rsqrt() {
    return of("rsqrt", () -> at.rsqrt());
  }

  public TorchTensor square() {
    return of("square", () -> at.square());
  }

  public TorchTensor abs() {
    return of("abs", () -> at.abs());
  }

  public TorchTensor sin() {
    return of("sin", () -> at.sin());
  }

  public TorchTensor cos() {
    return of("cos", () -> at.cos());
  }

  public TorchTensor gelu() {
    return of("gelu", () -> torch.gelu(at, "none"));
  }

  /** What reaches this tensor of a gradient of its {@link #gelu}. */
  public TorchTensor geluBackward(TorchTensor gradient) {
    return of("geluBackward", () -> torch.gelu_backward(gradient.at, at, "none"));
  }

  /** What reaches this tensor of a gradient of its {@link #silu}. */
  public TorchTensor siluBackward(TorchTensor gradient) {
    return of("siluBackward", () -> torch.silu_backward(gradient.at, at));
  }

  public TorchTensor sigmoid() {
    return of("sigmoid", () -> at.sigmoid());
  }

  public TorchTensor round() {
    return of("round", () -> at.round());
  }

  public TorchTensor silu() {
    return of("silu", () -> torch.silu(at));
  }

  public TorchTensor geluTanh() {
    boolean plain = at.is_cuda() || dtype() == ScalarType.Double.value;
    return of("geluTanh", () -> plain ? torch.gelu(at, "tanh") : geluBySigmoid());
  }

  /**
   * x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), the same function: libtorch's tanh takes twice as
   * long on a processor as all of this.
   */
  private Tensor geluBySigmoid() {
    double outer = 2 * Math.sqrt(2 / Math.PI);
    try (Scalar linear = new Scalar(outer);
        Scalar cubic = new Scalar(outer * 0.044715);
        Tensor start = torch.scalar_tensor(linear);
        Tensor x = at.to(ScalarType.Float);
        Tensor gate = start.addcmul(x, x, cubic)) {
      gate.mul_(x);
      gate.sigmoid_();
      gate.mul_(x);
      return gate.to(at.scalar_type());
    }
  }

  public TorchTensor isFinite() {
    return of("isFinite", () -> torch.isfinite(at));
  }

  public TorchTensor logicalNot() {
    return of("logicalNot", () -> at.logical_not());
  }

  public TorchTensor clamp(double low, double high) {
    return of("clamp", () -> limits(low, high, (a, b) -> at.clamp(a, b)));
  }

  public TorchTensor where(TorchTensor whenTrue, TorchTensor whenFalse) {
    return of("where", () -> torch.where(at, whenTrue.at, whenFalse.at));
  }

  public TorchTensor maskedFill(TorchTensor mask, double value) {
    return of("maskedFill", () -> scalar(value, s -> at.masked_fill(mask.at, s)));
  }

  /** The same bytes read as another type of the same width. */
  public TorchTensor reinterpret(int dtype) {
    return of("view", () -> at.view(type(dtype)));
  }

  public void orInPlace(TorchTensor bits) {
    change("bitwise_or_", () -> at.bitwise_or_(bits.at));
  }

  public TorchTensor toType(int dtype) {
    return of("toType", () -> at.to(type(dtype)));
  }

  public TorchTensor toDevice(String device) {
    return of("toDevice", () -> onDevice(device));
  }

  public TorchTensor sum(boolean keepDim, long... dims) {
    return of("sum", () -> torch.sum(at, dims, keepDim, NO_TYPE));
  }

  public TorchTensor mean(boolean keepDim, long... dims) {
    return of("mean", () -> torch.mean(at, dims, keepDim, NO_TYPE));
  }

  public TorchTensor amax(boolean keepDim, long... dims) {
    return of("amax", () -> torch.amax(at, dims, keepDim));
  }

  public TorchTensor logSumExp(boolean keepDim, long... dims) {
    return of("logSumExp", () -> torch.logsumexp(at, dims, keepDim));
  }

  public TorchTensor sum() {
    return of("sum", () -> at.sum());
  }

  public TorchTensor mean() {
    return of("mean", () -> at.mean());
  }

  public TorchTensor amax() {
    return of("amax", () -> at.max());
  }

  public TorchTensor amin() {
    return of("amin", () -> at.min());
  }

  public TorchTensor all() {
    return of("all", () -> torch.all(at));
  }

  public TorchTensor argmax(long dim) {
    return of("argmax", () -> whole(dim, l -> at.argmax(l, false)));
  }

  public TorchTensor argsort(long dim, boolean descending) {
    return of("argsort", () -> torch.argsort(at, true, dim, descending));
  }

  public TorchTensor cumsum(long dim) {
    return of("cumsum", () -> at.cumsum(dim));
  }

  public TorchTensor softmax(long dim) {
    return of("softmax", () -> torch.softmax(at, dim));
  }

  public TorchTensor reshape(long... shape) {
    return of("reshape", () -> at.reshape(shape));
  }

  public TorchTensor permute(long... dims) {
    return of("permute", () -> at.permute(dims));
  }

  public TorchTensor transpose(long a, long b) {
    return of("transpose", () -> at.transpose(a, b));
  }

  public TorchTensor unsqueeze(long dim) {
    return of("unsqueeze", () -> at.unsqueeze(dim));
  }

  public TorchTensor squeeze(long dim) {
    return of("squeeze", () -> at.squeeze(dim));
  }

  public TorchTensor flatten(long first, long last) {
    return of("flatten", () -> at.flatten(first, last));
  }

  public TorchTensor narrow(long dim, long start, long length) {
    return of("narrow", () -> at.narrow(dim, start, length));
  }

  public TorchTensor select(long dim, long index) {
    return of("select", () -> at.select(dim, index));
  }

  public TorchTensor every(long dim, long start, long step) {
    return of(
        "every",
        () ->
            whole(
                start,
                from -> {
                  try (LongOptional end = new LongOptional()) {
                    return at.slice(dim, from, end, step);
                  }
                }));
  }

  public TorchTensor expand(long... shape) {
    return of("expand", () -> at.expand(shape));
  }

  public TorchTensor repeat(long... times) {
    return of("repeat", () -> at.repeat(times));
  }

  public TorchTensor flip(long... dims) {
    return of("flip", () -> at.flip(dims));
  }

  public TorchTensor contiguous() {
    return of("contiguous", () -> at.contiguous());
  }

  public TorchTensor channelsLast() {
    return of(
        "channelsLast",
        () ->
            at.contiguous(at.dim() == 5 ? MemoryFormat.ChannelsLast3d : MemoryFormat.ChannelsLast));
  }

  public TorchTensor copy() {
    return of("copy", () -> at.clone());
  }

  public TorchTensor indexSelect(long dim, TorchTensor index) {
    return of("indexSelect", () -> at.index_select(dim, index.at));
  }

  public TorchTensor sumRows(TorchTensor index, TorchTensor starts, TorchTensor weights) {
    return of(
        "sumRows",
        () ->
            optional(
                weights,
                weight -> {
                  try (var bags =
                          torch.embedding_bag(
                              at, index.at, starts.at, false, SUM, false, weight, false);
                      Tensor sums = bags.get0()) {
                    return new Tensor(sums);
                  }
                }));
  }

  public TorchTensor maxRows(TorchTensor index, TorchTensor starts) {
    return of(
        "maxRows",
        () -> {
          try (var bags =
                  torch.embedding_bag(
                      at, index.at, starts.at, false, MAX, false, NO_TENSOR, false);
              Tensor largest = bags.get0()) {
            return new Tensor(largest);
          }
        });
  }

  public TorchTensor countBelow(TorchTensor numbers, boolean orEqual) {
    return of(
        "countBelow",
        () -> {
          try (StringViewOptional side = new StringViewOptional()) {
            return torch.searchsorted(at, numbers.at, false, orEqual, side, NO_TENSOR);
          }
        });
  }

  public TorchTensor gather(long dim, TorchTensor index) {
    return of("gather", () -> at.gather(dim, index.at));
  }

  public TorchTensor matmul(TorchTensor other) {
    return lacksProducts(other)
        ? inFloat32(other, null, (left, right, none) -> left.matmul(right))
        : of("matmul", () -> at.matmul(other.at));
  }

  public TorchTensor groupedMatmul(TorchTensor other, TorchTensor ends) {
    return of("groupedMatmul", () -> GROUPED_PRODUCT.of(at, other.at, ends.at, null, null));
  }

  public TorchTensor norm(long dim, boolean keepDim) {
    return of("norm", () -> torch.norm(at, EUCLIDEAN, new long[] {dim}, keepDim));
  }

  public TorchTensor linear(TorchTensor weight, TorchTensor bias) {
    return lacksProducts(weight)
        ? inFloat32(weight, bias, TorchTensor::linear)
        : of("linear", () -> optional(bias, b -> torch.linear(at, weight.at, b)));
  }

  /** The GELU behind a product. Only a card's is the tanh one when libtorch does both at once. */
  public TorchTensor linearGeluTanh(TorchTensor weight, TorchTensor bias) {
    if (!at.is_cuda()) {
      try (TorchTensor product = linear(weight, bias)) {
        return product.geluTanh();
      }
    }
    return of(
        "linearGeluTanh",
        () -> {
          long[] shape = at.shape();
          shape[shape.length - 1] = weight.at.size(0);
          try (Tensor rows = at.flatten(0, -2);
              Tensor right = weight.at.t();
              Tensor product = ACTIVATED_PRODUCT.of(bias.at, rows, right, 1.0, 1.0, true)) {
            return product.reshape(shape);
          }
        });
  }

  /** A product of a tensor, a weight and perhaps a bias. */
  private interface Product {
    TorchTensor of(TorchTensor x, TorchTensor weight, TorchTensor bias);
  }

  /** Whether this processor has no products of these two: both float16, or perhaps bfloat16. */
  private boolean lacksProducts(TorchTensor other) {
    int type = dtype();
    return type == other.dtype()
        && (type == ScalarType.Half.value
            || type == ScalarType.BFloat16.value && !MULTIPLIES_BFLOAT16)
        && !at.is_cuda();
  }

  /** The product as processors that have it compute it: sums in float32, rounded once. */
  private TorchTensor inFloat32(TorchTensor weight, TorchTensor bias, Product product) {
    int wide = ScalarType.Float.value;
    try (TorchTensor x = toType(wide);
        TorchTensor w = weight.toType(wide);
        TorchTensor b = bias == null ? null : bias.toType(wide);
        TorchTensor result = product.of(x, w, b)) {
      return result.toType(dtype());
    }
  }

  public TorchTensor layerNorm(TorchTensor weight, TorchTensor bias, double eps) {
    return of(
        "layerNorm",
        () ->
            optional(
                weight,
                bias,
                (w, b) -> torch.layer_norm(at, new long[] {at.size(-1)}, w, b, eps, false)));
  }

  public TorchTensor rmsNorm(TorchTensor weight, double eps) {
    return of(
        "rmsNorm",
        () ->
            optional(
                weight, w -> real(eps, e -> torch.rms_norm(at, new long[] {at.size(-1)}, w, e))));
  }

  /** Complex products of neighbouring pairs: (a + bi)(c + di); the table broadcasts. */
  public TorchTensor rotatePairs(TorchTensor table) {
    return of(
        "rotatePairs",
        () -> {
          try (Tensor left = pairs();
              Tensor right = table.pairs();
              Tensor product = left.mul(right);
              Tensor real = torch.view_as_real(product)) {
            return real.flatten(-2, -1);
          }
        });
  }

  private Tensor pairs() {
    try (Tensor split = at.unflatten(-1, new long[] {-1, 2})) {
      return torch.view_as_complex(split);
    }
  }

  public TorchTensor groupNorm(long groups, TorchTensor weight, TorchTensor bias, double eps) {
    return of(
        "groupNorm",
        () -> optional(weight, bias, (w, b) -> torch.group_norm(at, groups, w, b, eps, false)));
  }

  public TorchTensor conv2d(TorchTensor weight, TorchTensor bias, long[] stride, long[] padding) {
    if (lacksProducts(weight)) {
      return inFloat32(weight, bias, (x, w, b) -> x.conv2d(w, b, stride, padding));
    }
    if (narrow(weight)) {
      try (TorchTensor x = channelsLast();
          TorchTensor w = weight.channelsLast()) {
        return x.convolved2d(w, bias, stride, padding);
      }
    }
    return convolved2d(weight, bias, stride, padding);
  }

  private TorchTensor convolved2d(
      TorchTensor weight, TorchTensor bias, long[] stride, long[] padding) {
    long[] dilation = {1, 1};
    return of(
        "conv2d",
        () ->
            optional(
                bias,
                b ->
                    onednn()
                        ? torch.mkldnn_convolution(at, weight.at, b, padding, stride, dilation, 1)
                        : torch.conv2d(at, weight.at, b, stride, padding, dilation, 1)));
  }

  public TorchTensor conv3d(TorchTensor weight, TorchTensor bias, long[] stride, long[] padding) {
    if (lacksProducts(weight)) {
      return inFloat32(weight, bias, (x, w, b) -> x.conv3d(w, b, stride, padding));
    }
    if (narrow(weight)) {
      try (TorchTensor x = channelsLast();
          TorchTensor w = weight.channelsLast()) {
        return x.convolved3d(w, bias, stride, padding);
      }
    }
    return convolved3d(weight, bias, stride, padding);
  }

  private TorchTensor convolved3d(
      TorchTensor weight, TorchTensor bias, long[] stride, long[] padding) {
    long[] dilation = {1, 1, 1};
    return of(
        "conv3d",
        () ->
            optional(
                bias,
                b ->
                    onednn()
                        ? torch.mkldnn_convolution(at, weight.at, b, padding, stride, dilation, 1)
                        : torch.conv3d(at, weight.at, b, stride, padding, dilation, 1)));
  }

  /**
   * Whether oneDNN may get a convolution wrong unless channels are innermost in memory: it does, on
   * some processors, in bfloat16 to or from fewer than 16 channels.
   */
  private boolean narrow(TorchTensor weight) {
    return !at.is_cuda()
        && at.scalar_type().value == ScalarType.BFloat16.value
        && Math.min(weight.at.size(0), weight.at.size(1)) < 16;
  }

  /**
   * Whether a convolution of this tensor goes to oneDNN directly. Asked by its usual name, libtorch
   * takes a float32 input with batch * channels * first two sizes under 20480 for small and
   * convolves it four times slower, and not channels last.
   */
  private boolean onednn() {
    return Context.hasMKLDNN() && !at.is_cuda() && at.scalar_type().value == ScalarType.Float.value;
  }

  public TorchTensor pad(double value, long... padding) {
    return of("pad", () -> scalar(value, s -> torch.constant_pad_nd(at, padding, s)));
  }

  public TorchTensor scaledDotProductAttention(
      TorchTensor key, TorchTensor value, TorchTensor bias, double scale) {
    return of(
        "scaledDotProductAttention",
        () ->
            optional(
                bias,
                b ->
                    real(
                        scale,
                        s ->
                            torch.scaled_dot_product_attention(
                                at, key.at, value.at, b, 0.0, false, s, false))));
  }

  public void addInPlace(TorchTensor other) {
    change("addInPlace", () -> at.add_(other.at));
  }

  public void mulInPlace(TorchTensor other) {
    change("mulInPlace", () -> at.mul_(other.at));
  }

  public void addInPlace(double value) {
    change("addInPlace", () -> scalar(value, s -> at.add_(s)));
  }

  public void mulInPlace(double value) {
    change("mulInPlace", () -> scalar(value, s -> at.mul_(s)));
  }

  public void clampInPlace(double low, double high) {
    change("clampInPlace", () -> limits(low, high, (a, b) -> at.clamp_(a, b)));
  }

  public void fill(double value) {
    change("fill", () -> scalar(value, s -> at.fill_(s)));
  }

  public void siluInPlace() {
    change("siluInPlace", () -> torch.silu_(at));
  }

  public void copyFrom(TorchTensor source) {
    change("copyFrom", () -> at.copy_(source.at));
  }

  public void addMulInPlace(TorchTensor left, TorchTensor right) {
    change("addMulInPlace", () -> at.addcmul_(left.at, right.at));
  }

  public void addMatmulInPlace(TorchTensor left, TorchTensor right) {
    if (left.lacksProducts(right)) {
      try (TorchTensor product = left.matmul(right)) {
        addInPlace(product);
      }
      return;
    }
    change("addMatmulInPlace", () -> at.addmm_(left.at, right.at));
  }

  public void indexAdd(long dim, TorchTensor index, TorchTensor source) {
    change("indexAdd", () -> at.index_add_(dim, index.at, source.at));
  }

  public void indexCopy(long dim, TorchTensor index, TorchTensor source) {
    change("indexCopy", () -> at.index_copy_(dim, index.at, source.at));
  }

  public void scatter(long dim, TorchTensor index, TorchTensor source) {
    change("scatter", () -> at.scatter_(dim, index.at, source.at));
  }

  // Plumbing

  static ScalarType type(int code) {
    for (ScalarType type : ScalarType.values()) {
      if (type.value == code) {
        return type;
      }
    }
    throw new IllegalArgumentException("libtorch has no element type " + code);
  }

  private Tensor onDevice(String name) {
    try (Device device = new Device(name);
        DeviceOptional optional = new DeviceOptional(device);
        TensorOptions plain = new TensorOptions(at.scalar_type());
        TensorOptions options = plain.device(optional)) {
      return at.to(options, false, false, NO_FORMAT);
    }
  }

  /** An optional holds a tensor's memory, so it must not outlive the call. */
  private static Tensor optional(TorchTensor tensor, Function<TensorOptional, Tensor> call) {
    if (tensor == null) {
      return call.apply(NO_TENSOR);
    }
    try (TensorOptional optional = new TensorOptional(tensor.at)) {
      return call.apply(optional);
    }
  }

  private static Tensor optional(
      TorchTensor first,
      TorchTensor second,
      BiFunction<TensorOptional, TensorOptional, Tensor> call) {
    return optional(first, a -> optional(second, b -> call.apply(a, b)));
  }

  private static TensorVector vector(List<TorchTensor> parts) {
    Tensor[] array = new Tensor[parts.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = parts.get(i).at;
    }
    return new TensorVector(array);
  }

  private static TorchTensor make(
      String op, int dtype, String device, Function<TensorOptions, Tensor> call) {
    return of(
        op,
        () -> {
          try (TensorOptions plain = new TensorOptions(type(dtype))) {
            if (device.equals("cpu")) {
              return call.apply(plain);
            }
            try (Device place = new Device(device);
                DeviceOptional optional = new DeviceOptional(place);
                TensorOptions options = plain.device(optional)) {
              return call.apply(options);
            }
          }
        });
  }

  private static Tensor scalar(double value, Function<Scalar, Tensor> call) {
    try (Scalar scalar = new Scalar(value)) {
      return call.apply(scalar);
    }
  }

  private static Tensor real(double value, Function<DoubleOptional, Tensor> call) {
    try (DoubleOptional optional = new DoubleOptional(value)) {
      return call.apply(optional);
    }
  }

  private static Tensor whole(long value, Function<LongOptional, Tensor> call) {
    try (LongOptional optional = new LongOptional(value)) {
      return call.apply(optional);
    }
  }

  private static Tensor limits(
      double low, double high, BiFunction<ScalarOptional, ScalarOptional, Tensor> call) {
    try (Scalar from = new Scalar(low);
        Scalar to = new Scalar(high);
        ScalarOptional min = new ScalarOptional(from);
        ScalarOptional max = new ScalarOptional(to)) {
      return call.apply(min, max);
    }
  }

  private static TorchTensor of(String op, Supplier<Tensor> call) {
    try {
      return new TorchTensor(call.get());
    } catch (RuntimeException e) {
      throw failure(op, e);
    }
  }

  private static void change(String op, Supplier<Tensor> call) {
    try {
      call.get(); // returns the changed tensor itself, not a new one
    } catch (RuntimeException e) {
      throw failure(op, e);
    }
  }

  private static GossamerException failure(String op, RuntimeException e) {
    if (e instanceof GossamerException known) {
      return known;
    }
    String message = String.valueOf(e.getMessage());
    String first = message.lines().findFirst().orElse("no message");
    if (message.contains("can't allocate memory") || message.contains("out of memory")) {
      // Of a card libtorch goes on about its settings.
      return new EnvironmentException(
          "Out of memory in " + op + ": " + first.replaceAll("(?<= is free)\\..*", ""),
          "Ask for less at once: fewer frames or tokens, a smaller size or a smaller dtype",
          e);
    }
    return new GossamerException("libtorch failed in " + op + ": " + first, "", e);
  }
}
