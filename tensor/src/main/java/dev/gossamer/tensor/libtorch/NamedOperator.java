package dev.gossamer.tensor.libtorch;

import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;

/**
 * An operator of libtorch that the bindings have no method for.
 *
 * @param name for example {@code aten::_grouped_mm}
 */
record NamedOperator(String name) {
  /**
   * @param arguments all that its schema lists, in that order: a tensor, a {@code Double}, a {@code
   *     Boolean}, or null for none
   * @return the one tensor that it returns
   */
  Tensor of(Object... arguments) {
    try (OperatorHandle operator = Dispatcher.singleton().findSchemaOrThrow(name, "");
        IValueVector stack = new IValueVector()) {
      for (Object argument : arguments) {
        try (IValue value = value(argument)) {
          stack.push_back(value);
        }
      }
      operator.callBoxed(stack);
      try (IValue result = stack.get(0);
          Tensor tensor = result.toTensor()) {
        return new Tensor(tensor);
      }
    }
  }

  private IValue value(Object argument) {
    if (argument == null) {
      return new IValue();
    } else if (argument instanceof Tensor tensor) {
      return new IValue(tensor);
    } else if (argument instanceof Double number) {
      return new IValue(number.doubleValue());
    } else if (argument instanceof Boolean flag) {
      return new IValue(flag.booleanValue());
    }
    throw new IllegalArgumentException("Operator " + name + " takes no " + argument);
  }
}
