package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.nn.LayerRow;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.function.Supplier;

/**
 * What makes a prompt into rows, for the families whose text encoder is T5 or UMT5.
 *
 * @param tokenizer text to ids
 * @param encoder ids to rows
 */
public record T5Text(Tokenizer tokenizer, T5Encoder encoder) implements AutoCloseable {
  /**
   * Opens a checkpoint's tokenizer and text encoder.
   *
   * @param tokenizer opens the tokenizer
   * @param stay how long the weights of the encoder's blocks do
   * @param files the encoder's weights, under transformers' names
   */
  public static T5Text open(
      Supplier<Tokenizer> tokenizer,
      T5Config config,
      TensorFiles files,
      DType dtype,
      Device device,
      LayerRow.Stay stay) {
    Tokenizer opened = tokenizer.get();
    try {
      return new T5Text(opened, T5Encoder.open(config, files, dtype, device, stay));
    } catch (RuntimeException | Error e) {
      opened.close();
      throw e;
    }
  }

  /** The type to load the encoder in where the model runs in {@code wanted}: float16 overflows. */
  public static DType dtype(DType wanted) {
    return wanted == DType.FLOAT16 ? DType.BFLOAT16 : wanted;
  }

  @Override
  public void close() {
    tokenizer.close();
    encoder.close();
  }
}
