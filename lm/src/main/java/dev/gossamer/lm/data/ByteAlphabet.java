package dev.gossamer.lm.data;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The printable characters by which byte-level tokenizers write bytes, as GPT-2 began it: a
 * printable byte of Latin-1 stands for itself, the others follow from U+0100 on.
 */
final class ByteAlphabet {
  private static final char[] LETTERS = letters();
  private static final Map<Character, Integer> BYTES = bytes();

  private ByteAlphabet() {}

  private static char[] letters() {
    char[] letters = new char[256];
    char next = 256;
    for (int value = 0; value < 256; value++) {
      boolean printable =
          value >= '!' && value <= '~'
              || value >= 0xA1 && value <= 0xAC
              || value >= 0xAE && value <= 0xFF;
      letters[value] = printable ? (char) value : next++;
    }
    return letters;
  }

  private static Map<Character, Integer> bytes() {
    Map<Character, Integer> bytes = new HashMap<>();
    for (int value = 0; value < 256; value++) {
      bytes.put(LETTERS[value], value);
    }
    return bytes;
  }

  /** The character of a byte, 0 to 255. */
  static char letter(int value) {
    return LETTERS[value];
  }

  /** The bytes that a token stands for; empty if it is not written in this alphabet. */
  static Optional<byte[]> bytes(String token) {
    if (length(token) < 0) {
      return Optional.empty();
    }
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = BYTES.get(token.charAt(i)).byteValue();
    }
    return Optional.of(bytes);
  }

  /** How many bytes a token stands for, or -1 if it is not written in this alphabet. */
  static int length(String token) {
    for (int i = 0; i < token.length(); i++) {
      if (!BYTES.containsKey(token.charAt(i))) {
        return -1;
      }
    }
    return token.length();
  }
}
