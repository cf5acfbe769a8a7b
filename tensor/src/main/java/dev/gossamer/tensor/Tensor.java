package dev.gossamer.tensor;

import dev.gossamer.tensor.libtorch.TorchTensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * A dense array of numbers in native memory, on a processor or a card.
 *
 * <p>Every tensor belongs to a {@link Scope}; operations put their result into the innermost open
 * scope of the calling thread. Views share memory with what they view. Reading a tensor from
 * several threads is safe; changing it in place is not. Using a tensor after its scope closed
 * throws {@link IllegalStateException}; operations that do not fit throw {@link
 * dev.gossamer.tensor.failure.GossamerException} with the operation's name.
 */
public final class Tensor implements AutoCloseable {
  private TorchTensor handle;
  private Scope owner;
  private long[] shape;
  private DType dtype;

  private Tensor(TorchTensor handle) {
    this.handle = handle;
  }

  /** Puts a native result into the current scope. */
  static Tensor own(TorchTensor handle) {
    Tensor tensor = new Tensor(handle);
    try {
      return Scope.current().adopt(tensor);
    } catch (IllegalStateException e) {
      handle.close();
      throw e;
    }
  }

  Scope owner() {
    return owner;
  }

  void owner(Scope scope) {
    this.owner = scope;
  }

  private TorchTensor handle() {
    TorchTensor open = handle;
    if (open == null) {
      throw new IllegalStateException("This tensor was freed already; its scope has closed");
    }
    return open;
  }

  private static TorchTensor handleOrNull(Tensor tensor) {
    return tensor == null ? null : tensor.handle();
  }

  /** Frees the tensor before its scope does. Closing twice does nothing. */
  @Override
  public void close() {
    TorchTensor open = handle;
    if (open != null) {
      handle = null;
      open.close();
    }
  }

  /** Tensors open in the whole process; for leak checks. */
  public static long live() {
    return TorchTensor.live();
  }

  // Making tensors

  /** Memory with undefined content, on the processor. */
  public static Tensor empty(DType dtype, long... shape) {
    return own(TorchTensor.empty(shape, dtype.torchCode(), "cpu"));
  }

  /** Memory with undefined content, on a device. */
  public static Tensor empty(DType dtype, Device device, long... shape) {
    return own(TorchTensor.empty(shape, dtype.torchCode(), device.toString()));
  }

  public static Tensor zeros(DType dtype, long... shape) {
    return full(0, dtype, shape);
  }

  public static Tensor full(double value, DType dtype, long... shape) {
    return own(TorchTensor.full(shape, value, dtype.torchCode(), "cpu"));
  }

  /** Zeros on a device. */
  public static Tensor zeros(DType dtype, Device device, long... shape) {
    return full(0, dtype, device, shape);
  }

  /** One number everywhere, on a device. */
  public static Tensor full(double value, DType dtype, Device device, long... shape) {
    return own(TorchTensor.full(shape, value, dtype.torchCode(), device.toString()));
  }

  /** 0, 1, .. end - 1 on a device. */
  public static Tensor arange(long end, DType dtype, Device device) {
    return own(TorchTensor.arange(end, dtype.torchCode(), device.toString()));
  }

  /** 0, 1, .. end - 1. */
  public static Tensor arange(long end, DType dtype) {
    return arange(end, dtype, Device.CPU);
  }

  /** A copy of a Java array, row-major. */
  public static Tensor of(float[] values, long... shape) {
    return filled(DType.FLOAT32, values.length, shape, plain -> plain.write(values));
  }

  /** A copy of a Java array, row-major. */
  public static Tensor of(double[] values, long... shape) {
    return filled(DType.FLOAT64, values.length, shape, plain -> plain.write(values));
  }

  /** A copy of a Java array, row-major. */
  public static Tensor of(long[] values, long... shape) {
    return filled(DType.INT64, values.length, shape, plain -> plain.write(values));
  }

  /** A copy of a Java array, row-major. */
  public static Tensor of(int[] values, long... shape) {
    return filled(DType.INT32, values.length, shape, plain -> plain.write(values));
  }

  private static Tensor filled(
      DType dtype, long values, long[] shape, Consumer<TorchTensor> writer) {
    if (count(shape) != values) {
      throw new IllegalArgumentException(
          values + " values do not fill the shape " + Arrays.toString(shape));
    }
    Tensor tensor = empty(dtype, shape);
    if (values > 0) {
      writer.accept(tensor.handle());
    }
    return tensor;
  }

  /**
   * A tensor over memory that exists, for example a mapped file; nothing is copied. Never change it
   * in place if the memory is read-only.
   *
   * @param memory direct buffer whose position 0 is the first element; kept alive by the tensor
   */
  public static Tensor over(ByteBuffer memory, DType dtype, long... shape) {
    if (!memory.isDirect() || memory.capacity() < count(shape) * dtype.bytes()) {
      throw new IllegalArgumentException(
          "A buffer of "
              + memory.capacity()
              + " bytes does not hold "
              + Arrays.toString(shape)
              + " of "
              + dtype);
    }
    return own(TorchTensor.over(memory, shape, dtype.torchCode()));
  }

  /** Joins tensors along a dimension. */
  public static Tensor cat(long dim, List<Tensor> parts) {
    return own(TorchTensor.cat(parts.stream().map(Tensor::handle).toList(), dim));
  }

  /** Joins tensors along a dimension. */
  public static Tensor cat(long dim, Tensor... parts) {
    return cat(dim, List.of(parts));
  }

  /** Joins tensors of one shape along a new dimension. */
  public static Tensor stack(long dim, List<Tensor> parts) {
    return own(TorchTensor.stack(parts.stream().map(Tensor::handle).toList(), dim));
  }

  // Facts

  public long[] shape() {
    return sizes().clone();
  }

  private long[] sizes() {
    TorchTensor open = handle();
    if (shape == null) {
      shape = open.shape();
    }
    return shape;
  }

  /** Size of one dimension; negative numbers count from the last. */
  public long size(int dim) {
    long[] sizes = sizes();
    return sizes[dim < 0 ? dim + sizes.length : dim];
  }

  /** Number of dimensions. */
  public int dims() {
    return sizes().length;
  }

  /** Number of elements. */
  public long count() {
    return count(sizes());
  }

  private static long count(long[] shape) {
    long count = 1;
    for (long size : shape) {
      count = Math.multiplyExact(count, size);
    }
    return count;
  }

  public DType dtype() {
    TorchTensor open = handle();
    if (dtype == null) {
      dtype = DType.ofTorchCode(open.dtype());
    }
    return dtype;
  }

  public Device device() {
    return Device.of(handle().device());
  }

  /** Whether the elements lie row by row without gaps. */
  public boolean isContiguous() {
    return handle().isContiguous();
  }

  /** Bytes of the elements, counted once each. */
  public long bytes() {
    return count() * dtype().bytes();
  }

  // Reading elements

  /** All elements row by row, converted to float. */
  public float[] toFloats() {
    float[] values = new float[Math.toIntExact(count())];
    readable(DType.FLOAT32, plain -> plain.read(values));
    return values;
  }

  /** All elements row by row, converted to double. */
  public double[] toDoubles() {
    double[] values = new double[Math.toIntExact(count())];
    readable(DType.FLOAT64, plain -> plain.read(values));
    return values;
  }

  /** All elements row by row, converted to long. */
  public long[] toLongs() {
    long[] values = new long[Math.toIntExact(count())];
    readable(DType.INT64, plain -> plain.read(values));
    return values;
  }

  /** All elements row by row, converted to int. */
  public int[] toInts() {
    int[] values = new int[Math.toIntExact(count())];
    readable(DType.INT32, plain -> plain.read(values));
    return values;
  }

  private void readable(DType as, Consumer<TorchTensor> reader) {
    try (Scope scope = Scope.open()) {
      Tensor plain = to(Device.CPU).to(as).contiguous();
      if (plain.count() > 0) {
        reader.accept(plain.handle());
      }
    }
  }

  /** The only element, as a double. */
  public double item() {
    return handle().item();
  }

  /** The only element of a BOOL tensor. */
  public boolean isTrue() {
    return item() != 0;
  }

  /**
   * The tensor's own memory, native byte order; valid as long as the tensor is open.
   *
   * @throws IllegalStateException unless it is contiguous, on the processor and under 2 GiB
   */
  public ByteBuffer memory() {
    if (!isContiguous() || !device().isCpu() || bytes() > Integer.MAX_VALUE) {
      throw new IllegalStateException(
          "Only a contiguous tensor on the processor of less than 2 GiB shows its memory");
    }
    return handle().bytes();
  }

  /**
   * Where the elements begin in the memory of the tensor's device, for native code that reads or
   * writes them; valid as long as the tensor is open. 0 without elements.
   *
   * @throws IllegalStateException unless it is contiguous
   */
  public long address() {
    if (!isContiguous()) {
      throw new IllegalStateException("Only a contiguous tensor shows where it lies");
    }
    return handle().address();
  }

  /** As {@link #address}, for any layout: where the first element lies. */
  public long firstAddress() {
    return handle().address();
  }

  /** Elements between neighbours along a dimension; negative numbers count from the last. */
  public long stride(int dim) {
    return handle().stride(dim);
  }

  // Conversion

  /** The elements as another type; this tensor itself (a view) if it has that type already. */
  public Tensor to(DType dtype) {
    return own(handle().toType(dtype.torchCode()));
  }

  /** The tensor on a device; a view if it is there already. */
  public Tensor to(Device device) {
    return own(handle().toDevice(device.toString()));
  }

  /** View of the same bytes as another type of the same width. */
  public Tensor reinterpret(DType dtype) {
    return own(handle().reinterpret(dtype.torchCode()));
  }

  /** Bitwise or with whole numbers, in place. Returns this tensor. */
  public Tensor orInPlace(Tensor bits) {
    handle().orInPlace(bits.handle());
    return this;
  }

  // Products into memory that exists: for inner loops that must not allocate

  /** out = left right, for matrices or batches of them; {@code out} has the result's shape. */
  public static void matmulInto(Tensor out, Tensor left, Tensor right) {
    TorchTensor.matmulInto(out.handle(), left.handle(), right.handle());
  }

  /** out = softmax(in) along a dimension; both may be one tensor. */
  public static void softmaxInto(Tensor out, Tensor in, long dim) {
    TorchTensor.softmaxInto(out.handle(), in.handle(), dim);
  }

  /** out = in * sigmoid(in), of one type; both may be one tensor. */
  public static void siluInto(Tensor out, Tensor in) {
    TorchTensor.siluInto(out.handle(), in.handle());
  }

  // Operations; each result belongs to the current scope

  /** Sum, with broadcasting. */
  public Tensor add(Tensor other) {
    return own(handle().add(other.handle()));
  }

  /** Difference, with broadcasting. */
  public Tensor sub(Tensor other) {
    return own(handle().sub(other.handle()));
  }

  /** Elementwise product, with broadcasting. */
  public Tensor mul(Tensor other) {
    return own(handle().mul(other.handle()));
  }

  /** Elementwise quotient, with broadcasting. */
  public Tensor div(Tensor other) {
    return own(handle().div(other.handle()));
  }

  /** Larger of two, with broadcasting. */
  public Tensor maximum(Tensor other) {
    return own(handle().maximum(other.handle()));
  }

  /** BOOL: equal. */
  public Tensor eq(Tensor other) {
    return own(handle().eq(other.handle()));
  }

  /** Sum with a number. */
  public Tensor add(double value) {
    return own(handle().add(value));
  }

  /** Difference with a number. */
  public Tensor sub(double value) {
    return own(handle().sub(value));
  }

  /** Product with a number. */
  public Tensor mul(double value) {
    return own(handle().mul(value));
  }

  /** Quotient by a number. */
  public Tensor div(double value) {
    return own(handle().div(value));
  }

  /** BOOL: equal to a number. */
  public Tensor eq(double value) {
    return own(handle().eq(value));
  }

  /** BOOL: less than a number. */
  public Tensor lt(double value) {
    return own(handle().lt(value));
  }

  /** BOOL: greater than a number. */
  public Tensor gt(double value) {
    return own(handle().gt(value));
  }

  /** Negative. */
  public Tensor neg() {
    return own(handle().neg());
  }

  /** Exponential. */
  public Tensor exp() {
    return own(handle().exp());
  }

  /** Natural logarithm. */
  public Tensor log() {
    return own(handle().log());
  }

  /** Square root. */
  public Tensor sqrt() {
    return own(handle().sqrt());
  }

  /** 1 / sqrt(x). */
  public Tensor rsqrt() {
    return own(handle().rsqrt());
  }

  /** Square. */
  public Tensor square() {
    return own(handle().square());
  }

  /** Absolute value. */
  public Tensor abs() {
    return own(handle().abs());
  }

  /** Sine. */
  public Tensor sin() {
    return own(handle().sin());
  }

  /** Cosine. */
  public Tensor cos() {
    return own(handle().cos());
  }

  /** x Phi(x), exact. */
  public Tensor gelu() {
    return own(handle().gelu());
  }

  /** What reaches this tensor of a gradient of its {@link #gelu}. */
  public Tensor geluBackward(Tensor gradient) {
    return own(handle().geluBackward(gradient.handle()));
  }

  /** What reaches this tensor of a gradient of its {@link #silu}. */
  public Tensor siluBackward(Tensor gradient) {
    return own(handle().siluBackward(gradient.handle()));
  }

  /** Logistic function. */
  public Tensor sigmoid() {
    return own(handle().sigmoid());
  }

  /** Nearest whole number, halves to even. */
  public Tensor round() {
    return own(handle().round());
  }

  /** x * sigmoid(x). */
  public Tensor silu() {
    return own(handle().silu());
  }

  /** GELU in its tanh approximation. */
  public Tensor geluTanh() {
    return own(handle().geluTanh());
  }

  /** BOOL: neither NaN nor infinite. */
  public Tensor isFinite() {
    return own(handle().isFinite());
  }

  /** BOOL: not. */
  public Tensor logicalNot() {
    return own(handle().logicalNot());
  }

  /** Limits every element to [low, high]. */
  public Tensor clamp(double low, double high) {
    return own(handle().clamp(low, high));
  }

  /** Of a BOOL tensor: picks elementwise from two tensors. */
  public Tensor where(Tensor whenTrue, Tensor whenFalse) {
    return own(handle().where(whenTrue.handle(), whenFalse.handle()));
  }

  /** Copy with {@code value} where {@code mask} is true. */
  public Tensor maskedFill(Tensor mask, double value) {
    return own(handle().maskedFill(mask.handle(), value));
  }

  /** Sum over the named dimensions. */
  public Tensor sum(boolean keepDim, long... dims) {
    return own(handle().sum(keepDim, dims));
  }

  /** Mean over the named dimensions. */
  public Tensor mean(boolean keepDim, long... dims) {
    return own(handle().mean(keepDim, dims));
  }

  /** Largest over the named dimensions. */
  public Tensor amax(boolean keepDim, long... dims) {
    return own(handle().amax(keepDim, dims));
  }

  /** log(sum(exp(x))) over the named dimensions. */
  public Tensor logSumExp(boolean keepDim, long... dims) {
    return own(handle().logSumExp(keepDim, dims));
  }

  /** Sum of all elements, a tensor without dimensions. */
  public Tensor sum() {
    return own(handle().sum());
  }

  /** Mean of all elements, a tensor without dimensions. */
  public Tensor mean() {
    return own(handle().mean());
  }

  /** Largest element, a tensor without dimensions. */
  public Tensor amax() {
    return own(handle().amax());
  }

  /** Smallest element, a tensor without dimensions. */
  public Tensor amin() {
    return own(handle().amin());
  }

  /** BOOL: whether all elements hold. */
  public Tensor all() {
    return own(handle().all());
  }

  /** INT64 index of the largest along a dimension; NaN counts as largest. */
  public Tensor argmax(long dim) {
    return own(handle().argmax(dim));
  }

  /** INT64 order of a stable sort along a dimension. */
  public Tensor argsort(long dim, boolean descending) {
    return own(handle().argsort(dim, descending));
  }

  /** Running sum along a dimension. */
  public Tensor cumsum(long dim) {
    return own(handle().cumsum(dim));
  }

  /** Softmax along a dimension. */
  public Tensor softmax(long dim) {
    return own(handle().softmax(dim));
  }

  /** Same elements, other shape; a view where possible. One entry may be -1. */
  public Tensor reshape(long... shape) {
    return own(handle().reshape(shape));
  }

  /** View with reordered dimensions. */
  public Tensor permute(long... dims) {
    return own(handle().permute(dims));
  }

  /** View with two dimensions exchanged. */
  public Tensor transpose(long a, long b) {
    return own(handle().transpose(a, b));
  }

  /** View with a dimension of size one inserted. */
  public Tensor unsqueeze(long dim) {
    return own(handle().unsqueeze(dim));
  }

  /** View without a dimension of size one. */
  public Tensor squeeze(long dim) {
    return own(handle().squeeze(dim));
  }

  /** Joins neighbouring dimensions. */
  public Tensor flatten(long first, long last) {
    return own(handle().flatten(first, last));
  }

  /** View of a range along a dimension. */
  public Tensor narrow(long dim, long start, long length) {
    return own(handle().narrow(dim, start, length));
  }

  /** View of one entry along a dimension, which disappears. */
  public Tensor select(long dim, long index) {
    return own(handle().select(dim, index));
  }

  /** View of every {@code step}-th entry along a dimension, from {@code start} on. */
  public Tensor every(long dim, long start, long step) {
    return own(handle().every(dim, start, step));
  }

  /** View with dimensions of size one repeated; -1 keeps a size. */
  public Tensor expand(long... shape) {
    return own(handle().expand(shape));
  }

  /** Copy repeated along each dimension. */
  public Tensor repeat(long... times) {
    return own(handle().repeat(times));
  }

  /** Copy with dimensions reversed. */
  public Tensor flip(long... dims) {
    return own(handle().flip(dims));
  }

  /** Row-major copy, or this tensor's own memory if it is row-major already. */
  public Tensor contiguous() {
    return own(handle().contiguous());
  }

  /**
   * The same [N, C, ...] tensor of 4 or 5 dimensions with channels innermost in memory, which
   * convolutions prefer.
   */
  public Tensor channelsLast() {
    return own(handle().channelsLast());
  }

  /** A copy with memory of its own. */
  public Tensor copy() {
    return own(handle().copy());
  }

  /** Entries along a dimension in the order of {@code index} (INT64 or INT32). */
  public Tensor indexSelect(long dim, Tensor index) {
    return own(handle().indexSelect(dim, index.handle()));
  }

  /**
   * Sums of rows of this matrix, without a copy of them (libtorch's {@code embedding_bag}): result
   * i adds up the rows {@code index[starts[i]]} to {@code index[starts[i + 1] - 1]}, in that order;
   * no rows give zeros.
   *
   * @param index INT64, {@code [entries]}
   * @param starts INT64, {@code [results]}, ascending from 0
   * @param weights of each entry, {@code [entries]} in this tensor's type, or null for 1
   * @return {@code [results, columns]}
   */
  public Tensor sumRows(Tensor index, Tensor starts, Tensor weights) {
    return own(
        handle()
            .sumRows(index.handle(), starts.handle(), weights == null ? null : weights.handle()));
  }

  /** As {@link #sumRows}, the largest of the rows in each column in place of their sum. */
  public Tensor maxRows(Tensor index, Tensor starts) {
    return own(handle().maxRows(index.handle(), starts.handle()));
  }

  /**
   * For each number how many of this tensor's ascending last dimension are less than it; with
   * {@code orEqual}, how many are not greater.
   *
   * @param numbers all dimensions but the last are this tensor's
   * @return INT64, shaped as {@code numbers}
   */
  public Tensor countBelow(Tensor numbers, boolean orEqual) {
    return own(handle().countBelow(numbers.handle(), orEqual));
  }

  /** Elements picked along a dimension by an INT64 index of the result's shape. */
  public Tensor gather(long dim, Tensor index) {
    return own(handle().gather(dim, index.handle()));
  }

  /**
   * Products of neighbouring rows with the matrix of their group: {@code [rows, in]} by {@code
   * [groups, in, out]} gives {@code [rows, out]}. Or of a group's neighbouring columns with its
   * rows of the other: {@code [in, rows]} by {@code [rows, out]} gives {@code [groups, in, out]}.
   *
   * @param ends INT32 {@code [groups]}, behind each group's last row; the last is {@code rows}
   */
  public Tensor groupedMatmul(Tensor other, Tensor ends) {
    return own(handle().groupedMatmul(other.handle(), ends.handle()));
  }

  /** Matrix product, batched over leading dimensions. */
  public Tensor matmul(Tensor other) {
    return own(handle().matmul(other.handle()));
  }

  /** Euclidean length along a dimension. */
  public Tensor norm(long dim, boolean keepDim) {
    return own(handle().norm(dim, keepDim));
  }

  /** x W^T + b: [.., in] with weight [out, in] and bias [out] (or null) gives [.., out]. */
  public Tensor linear(Tensor weight, Tensor bias) {
    return own(handle().linear(weight.handle(), handleOrNull(bias)));
  }

  /** {@link #geluTanh} of {@link #linear}; on a card in one operation, rounded once. */
  public Tensor linearGeluTanh(Tensor weight, Tensor bias) {
    return own(handle().linearGeluTanh(weight.handle(), bias.handle()));
  }

  /** Layer normalisation over the last dimension; weight and bias may be null. */
  public Tensor layerNorm(Tensor weight, Tensor bias, double eps) {
    return own(handle().layerNorm(handleOrNull(weight), handleOrNull(bias), eps));
  }

  /** x / sqrt(mean(x^2) + eps) * weight over the last dimension; weight may be null. */
  public Tensor rmsNorm(Tensor weight, double eps) {
    return own(handle().rmsNorm(handleOrNull(weight), eps));
  }

  /**
   * Rotates neighbouring pairs of the last dimension: (a, b) with the table's (c, s) gives (a c - b
   * s, a s + b c). FLOAT32; the table broadcasts over the other dimensions.
   */
  public Tensor rotatePairs(Tensor table) {
    return own(handle().rotatePairs(table.handle()));
  }

  /** Group normalisation of [N, C, ...]. */
  public Tensor groupNorm(long groups, Tensor weight, Tensor bias, double eps) {
    return own(handle().groupNorm(groups, handleOrNull(weight), handleOrNull(bias), eps));
  }

  /** Convolution of [N, C, H, W] with zero padding. */
  public Tensor conv2d(Tensor weight, Tensor bias, long[] stride, long[] padding) {
    return own(handle().conv2d(weight.handle(), handleOrNull(bias), stride, padding));
  }

  /** Convolution of [N, C, F, H, W] with zero padding. */
  public Tensor conv3d(Tensor weight, Tensor bias, long[] stride, long[] padding) {
    return own(handle().conv3d(weight.handle(), handleOrNull(bias), stride, padding));
  }

  /**
   * Copy padded with a number; {@code padding} lists (before, after) from the last dimension on.
   */
  public Tensor pad(double value, long... padding) {
    return own(handle().pad(value, padding));
  }

  /**
   * softmax(q k^T scale + bias) v for [batch, heads, tokens, headDim]; this is the query, bias [..,
   * queries, keys] or null. On a processor use float32: libtorch is 25 times slower in bf16 there.
   */
  public Tensor scaledDotProductAttention(Tensor key, Tensor value, Tensor bias, double scale) {
    return own(
        handle()
            .scaledDotProductAttention(key.handle(), value.handle(), handleOrNull(bias), scale));
  }

  /** Adds to this tensor. Returns this tensor. */
  public Tensor addInPlace(Tensor other) {
    handle().addInPlace(other.handle());
    return this;
  }

  /** Multiplies this tensor. Returns this tensor. */
  public Tensor mulInPlace(Tensor other) {
    handle().mulInPlace(other.handle());
    return this;
  }

  /** Adds a number to this tensor. Returns this tensor. */
  public Tensor addInPlace(double value) {
    handle().addInPlace(value);
    return this;
  }

  /** Multiplies this tensor by a number. Returns this tensor. */
  public Tensor mulInPlace(double value) {
    handle().mulInPlace(value);
    return this;
  }

  /** Limits every element of this tensor. Returns this tensor. */
  public Tensor clampInPlace(double low, double high) {
    handle().clampInPlace(low, high);
    return this;
  }

  /** Sets every element. Returns this tensor. */
  public Tensor fill(double value) {
    handle().fill(value);
    return this;
  }

  /** x * sigmoid(x) in place. Returns this tensor. */
  public Tensor siluInPlace() {
    handle().siluInPlace();
    return this;
  }

  /**
   * Overwrites this tensor with another (broadcast, converted to this type and device). Returns
   * this tensor.
   */
  public Tensor copyFrom(Tensor source) {
    handle().copyFrom(source.handle());
    return this;
  }

  /** Adds the elementwise product of two tensors to this one. Returns this tensor. */
  public Tensor addMulInPlace(Tensor left, Tensor right) {
    handle().addMulInPlace(left.handle(), right.handle());
    return this;
  }

  /** Adds the product of two matrices to this one. Returns this tensor. */
  public Tensor addMatmulInPlace(Tensor left, Tensor right) {
    handle().addMatmulInPlace(left.handle(), right.handle());
    return this;
  }

  /**
   * Adds the entries of {@code source} to the entries of this tensor that an index names, in order.
   * Returns this tensor.
   */
  public Tensor indexAdd(long dim, Tensor index, Tensor source) {
    handle().indexAdd(dim, index.handle(), source.handle());
    return this;
  }

  /** Overwrites the entries that an INT64 index names. Returns this tensor. */
  public Tensor indexCopy(long dim, Tensor index, Tensor source) {
    handle().indexCopy(dim, index.handle(), source.handle());
    return this;
  }

  /** Overwrites the elements along a dimension that an INT64 index names. Returns this tensor. */
  public Tensor scatter(long dim, Tensor index, Tensor source) {
    handle().scatter(dim, index.handle(), source.handle());
    return this;
  }

  @Override
  public String toString() {
    return handle == null
        ? "Tensor(freed)"
        : "Tensor(" + dtype() + " " + Arrays.toString(sizes()) + " on " + device() + ")";
  }
}
