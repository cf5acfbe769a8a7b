package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Tensor;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.AllreduceOptions;
import org.bytedeco.pytorch.BroadcastOptions;
import org.bytedeco.pytorch.ReduceOp;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Our tensors on the processor and words under the bindings' own types: the same memory, nothing is
 * copied. What is only moved is moved as bytes, so that every element type can be.
 */
final class NativeTensors {
  private static final Map<DType, ScalarType> REDUCIBLE =
      Map.of(
          DType.FLOAT64, ScalarType.Double,
          DType.FLOAT32, ScalarType.Float,
          DType.FLOAT16, ScalarType.Half,
          DType.BFLOAT16, ScalarType.BFloat16,
          DType.INT64, ScalarType.Long,
          DType.INT32, ScalarType.Int,
          DType.INT8, ScalarType.Char,
          DType.UINT8, ScalarType.Byte);

  private NativeTensors() {}

  static boolean reduces(DType dtype) {
    return REDUCIBLE.containsKey(dtype);
  }

  static org.bytedeco.pytorch.Tensor numbers(Tensor tensor) {
    return over(tensor, REDUCIBLE.get(tensor.dtype()), tensor.count());
  }

  static org.bytedeco.pytorch.Tensor bytes(Tensor tensor) {
    return over(tensor, ScalarType.Byte, tensor.bytes());
  }

  static org.bytedeco.pytorch.Tensor rows(Tensor tensor) {
    long rows = tensor.size(0);
    return over(tensor, ScalarType.Byte, rows, rows == 0 ? 1 : tensor.bytes() / rows);
  }

  private static org.bytedeco.pytorch.Tensor over(Tensor tensor, ScalarType type, long... shape) {
    TensorOptions options = new TensorOptions(type);
    return tensor.count() == 0
        ? torch.empty(shape, options, null)
        : torch.from_blob(new Memory(tensor.address()), shape, options);
  }

  /** An address as the bindings take it. */
  static final class Memory extends Pointer {
    Memory(long address) {
      this.address = address;
    }
  }

  static AllreduceOptions options(Reduction reduction) {
    AllreduceOptions options = new AllreduceOptions();
    options.reduceOp(
        new ReduceOp(reduction == Reduction.SUM ? ReduceOp.RedOpType.SUM : ReduceOp.RedOpType.MAX));
    return options;
  }

  static BroadcastOptions from(int root) {
    BroadcastOptions options = new BroadcastOptions();
    options.rootRank(root);
    return options;
  }
}
