package dev.gossamer.lm.serve;

import dev.gossamer.lm.data.TextTokenizer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * One token as an answer shows it.
 *
 * @param text its text amid others; {@code bytes:\xe7\x8c} if its bytes are no whole characters
 * @param bytes of it; none of an id for which the tokenizer has no token
 */
record TokenText(String text, byte[] bytes) {
  static TokenText of(int id, TextTokenizer tokenizer) {
    byte[] bytes = tokenizer.spelled(id);
    if (bytes.length == 0) {
      return new TokenText("token_id:" + id, bytes);
    }
    try {
      ByteBuffer all = ByteBuffer.wrap(bytes);
      return new TokenText(StandardCharsets.UTF_8.newDecoder().decode(all).toString(), bytes);
    } catch (CharacterCodingException e) {
      StringBuilder text = new StringBuilder("bytes:");
      for (byte each : bytes) {
        text.append(String.format("\\x%02x", each));
      }
      return new TokenText(text.toString(), bytes);
    }
  }
}
