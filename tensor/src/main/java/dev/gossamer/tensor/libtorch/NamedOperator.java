package dev.gossamer.tensor.libtorch;

import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;

/** An operator of libtorch that the bindings have no method for, found by its name. */
final class NamedOperator {
  private final String name;
  private final int left; // arguments behind the tensors, which stay as they are by default

  /**
   * @param name for example {@code aten::_grouped_mm}
   * @param left how many optional arguments follow the tensors that are given
   */
  NamedOperator(String name, int left) {
    this.name = name;
    this.left = left;
  }

  /** The one tensor that it returns. */
  Tensor of(Tensor... arguments) {
    try (OperatorHandle operator = Dispatcher.singleton().findSchemaOrThrow(name, "");
        IValueVector stack = new IValueVector()) {
      for (Tensor argument : arguments) {
        try (IValue value = new IValue(argument)) {
          stack.push_back(value);
        }
      }
      for (int i = 0; i < left; i++) {
        try (IValue none = new IValue()) {
          stack.push_back(none);
        }
      }
      operator.callBoxed(stack);
      try (IValue result = stack.get(0);
          Tensor tensor = result.toTensor()) {
        return new Tensor(tensor);
      }
    }
  }
}
