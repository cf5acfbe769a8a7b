package dev.gossamer.distributed.launch;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Turns the bytes of one rank's stream into whole lines marked {@code [rank] }. Bytes are never
 * decoded, so any text passes as it is; lines leave in one write, so that those of several ranks
 * cannot mix. For one thread.
 */
final class RankLines {
  /** Bytes of a line that are held back; a longer one leaves in pieces. */
  static final int LONGEST = 1 << 16;

  private static final int LONGEST_REMARK = 300;

  /** With this Java greets whoever uses its vectors; it says nothing about an end. */
  private static final byte[] GREETING =
      "WARNING: Using incubator modules".getBytes(StandardCharsets.US_ASCII);

  private final byte[] mark;
  private final OutputStream sink;
  private final Object turn;
  private final ByteArrayOutputStream line = new ByteArrayOutputStream();
  private final ByteArrayOutputStream whole = new ByteArrayOutputStream();
  private volatile byte[] last = new byte[0];

  /**
   * @param sink where lines go
   * @param turn held while lines are written; one for all ranks and both of their streams, which
   *     may well end in the same terminal or pipe
   */
  RankLines(int rank, OutputStream sink, Object turn) {
    this.mark = ("[" + rank + "] ").getBytes(StandardCharsets.UTF_8);
    this.sink = sink;
    this.turn = turn;
  }

  /** Takes the next bytes and passes on the lines that are now complete. */
  void take(byte[] bytes, int count) throws IOException {
    int begin = 0;
    for (int at = 0; at < count; at++) {
      if (bytes[at] == '\n') {
        line.write(bytes, begin, at - begin);
        endLine();
        begin = at + 1;
      }
    }
    line.write(bytes, begin, count - begin);
    breakLongLine();
    flush();
  }

  /** Passes on what follows the last line's end, as a line. */
  void end() throws IOException {
    if (line.size() > 0) {
      endLine();
    }
    flush();
  }

  /** The last line that is not blank nor Java's greeting, shortened; empty if there was none. */
  String last() {
    String text = new String(last, StandardCharsets.UTF_8).strip();
    String visible = text.substring(text.lastIndexOf('\r') + 1); // a progress bar's last state
    return visible.length() < LONGEST_REMARK
        ? visible
        : visible.substring(0, LONGEST_REMARK) + "...";
  }

  private void endLine() {
    breakLongLine();
    emit(line.toByteArray());
    line.reset();
  }

  /** Passes on pieces until what is left is short enough to wait for its end. */
  private void breakLongLine() {
    if (line.size() <= LONGEST) {
      return;
    }
    byte[] bytes = line.toByteArray();
    int begin = 0;
    while (bytes.length - begin > LONGEST) {
      int cut = begin + LONGEST;
      while (cut > begin + LONGEST - 3 && (bytes[cut] & 0xC0) == 0x80) {
        cut--; // not within a character of UTF-8
      }
      emit(Arrays.copyOfRange(bytes, begin, cut));
      begin = cut;
    }
    line.reset();
    line.write(bytes, begin, bytes.length - begin);
  }

  private void emit(byte[] text) {
    whole.writeBytes(mark);
    whole.writeBytes(text);
    whole.write('\n');
    if (Arrays.mismatch(text, GREETING) == GREETING.length || Arrays.equals(text, GREETING)) {
      return;
    }
    for (byte b : text) {
      if (b > ' ' || b < 0) {
        last = text;
        break;
      }
    }
  }

  private void flush() throws IOException {
    if (whole.size() > 0) {
      synchronized (turn) {
        sink.write(whole.toByteArray());
        sink.flush();
      }
      whole.reset();
    }
  }
}
