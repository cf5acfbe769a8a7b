package dev.gossamer.video.text;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import java.nio.file.Path;

/**
 * What makes a prompt into rows, for the families whose text encoder is T5 or UMT5.
 *
 * @param tokenizer text to ids
 * @param encoder ids to rows
 */
public record T5Text(Tokenizer tokenizer, T5Encoder encoder) implements AutoCloseable {
  /** Opens a checkpoint's folders {@code tokenizer} and {@code text_encoder}. */
  public static T5Text open(Path tokenizerFolder, Path encoderFolder, DType dtype, Device device) {
    Tokenizer tokenizer = Tokenizer.open(tokenizerFolder);
    try {
      return new T5Text(tokenizer, T5Encoder.open(encoderFolder, dtype, device));
    } catch (RuntimeException | Error e) {
      tokenizer.close();
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
