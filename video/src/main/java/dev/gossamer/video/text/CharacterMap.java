package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.BitSet;

/**
 * The check of a SentencePiece character map ({@code precompiled_charsmap}): a little-endian byte
 * count, a trie as a double array of 32-bit units (darts-clone), then the replacements in UTF-8.
 * The native library follows the trie without looking, so every place that a text can lead it to
 * must exist.
 *
 * <p>A unit's low byte is its label, its bit 8 says that a replacement ends there; the offset to
 * its children is (unit >> 10) << ((unit & 0x200) >> 6). Children lie in one block of 256 units.
 */
final class CharacterMap {
  private final IntBuffer units;
  private final byte[] replacements;

  private CharacterMap(IntBuffer units, byte[] replacements) {
    this.units = units;
    this.replacements = replacements;
  }

  /**
   * @param base64 the value in the JSON file
   */
  static boolean isSound(JsonNode base64) {
    if (!base64.isTextual() && !base64.isBinary()) {
      return false;
    }
    try {
      ByteBuffer map = ByteBuffer.wrap(base64.binaryValue()).order(ByteOrder.LITTLE_ENDIAN);
      int trieBytes = map.remaining() < 4 ? -1 : map.getInt();
      if (trieBytes < 4 || trieBytes > map.remaining()) {
        return false;
      }
      IntBuffer units = map.slice(4, trieBytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
      byte[] replacements = new byte[map.remaining() - trieBytes];
      map.position(4 + trieBytes).get(replacements);
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(replacements));
      return new CharacterMap(units, replacements).staysInside();
    } catch (IOException e) { // neither base64 nor, in it, UTF-8
      return false;
    }
  }

  /** Walks every path of the trie once. */
  private boolean staysInside() {
    BitSet seen = new BitSet();
    ArrayDeque<Integer> open = new ArrayDeque<>();
    open.add(offset(units.get(0)));
    while (!open.isEmpty()) {
      int node = open.remove();
      if ((node | 0xff) >= units.limit()) {
        return false;
      }
      if (seen.get(node)) {
        continue;
      }
      seen.set(node);
      for (int letter = 1; letter <= 0xff; letter++) {
        int unit = units.get(node ^ letter);
        if ((unit & 0x800000ff) == letter) {
          int child = node ^ letter ^ offset(unit);
          boolean ends = (unit & 0x100) != 0;
          if (ends && (child >= units.limit() || !startsText(units.get(child) & 0x7fffffff))) {
            return false;
          }
          open.add(child);
        }
      }
    }
    return true;
  }

  private static int offset(int unit) {
    return (unit >>> 10) << ((unit & 0x200) >>> 6);
  }

  private boolean startsText(int place) {
    return place == replacements.length
        || (place < replacements.length && (replacements[place] & 0xc0) != 0x80);
  }
}
