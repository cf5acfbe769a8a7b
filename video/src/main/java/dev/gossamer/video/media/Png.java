package dev.gossamer.video.media;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * PNG files of 8-bit RGB (ISO/IEC 15948). Written here because ImageIO brings AWT up, which costs
 * 0.2 s and does not exist on every Java runtime.
 */
public final class Png {
  private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  private static final int SUB = 1;
  private static final int UP = 2;
  private static final int PAETH = 4;
  private static final int[] FILTERS = {SUB, UP, PAETH};
  private static final int PIXEL = 3;

  private Png() {}

  /**
   * Writes a picture, whole or not at all.
   *
   * @param path replaced if it exists; its folder must exist
   * @throws EnvironmentException if the file cannot be written
   */
  public static void write(Path path, Frame frame) {
    PartFile.write(path, encode(frame));
  }

  private static byte[] encode(Frame frame) {
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(SIGNATURE);
    ByteBuffer header = ByteBuffer.allocate(13).putInt(frame.width()).putInt(frame.height());
    chunk(file, "IHDR", header.put((byte) 8).put((byte) 2).array()); // 8 bits, RGB
    chunk(file, "IDAT", deflated(filtered(frame)));
    chunk(file, "IEND", new byte[0]);
    return file.toByteArray();
  }

  private static void chunk(ByteArrayOutputStream file, String type, byte[] content) {
    byte[] name = type.getBytes(StandardCharsets.US_ASCII);
    CRC32 checksum = new CRC32();
    checksum.update(name);
    checksum.update(content);
    file.writeBytes(ByteBuffer.allocate(4).putInt(content.length).array());
    file.writeBytes(name);
    file.writeBytes(content);
    file.writeBytes(ByteBuffer.allocate(4).putInt((int) checksum.getValue()).array());
  }

  private static byte[] deflated(byte[] content) {
    Deflater deflater = new Deflater();
    try {
      deflater.setInput(content);
      deflater.finish();
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      byte[] buffer = new byte[1 << 16];
      while (!deflater.finished()) {
        out.write(buffer, 0, deflater.deflate(buffer));
      }
      return out.toByteArray();
    } finally {
      deflater.end();
    }
  }

  /** Each row under the predictor that leaves the smallest differences, its number in front. */
  private static byte[] filtered(Frame frame) {
    int rowBytes = PIXEL * frame.width();
    byte[] out = new byte[(rowBytes + 1) * frame.height()];
    byte[] row = new byte[PIXEL + rowBytes]; // a black pixel in front, as the standard has it
    byte[] above = new byte[PIXEL + rowBytes];
    byte[] trial = new byte[rowBytes];
    for (int y = 0; y < frame.height(); y++) {
      System.arraycopy(frame.rgb(), y * rowBytes, row, PIXEL, rowBytes);
      long smallest = Long.MAX_VALUE;
      for (int filter : FILTERS) {
        long size = difference(row, above, filter, trial);
        if (size < smallest) {
          smallest = size;
          out[y * (rowBytes + 1)] = (byte) filter;
          System.arraycopy(trial, 0, out, y * (rowBytes + 1) + 1, rowBytes);
        }
      }
      byte[] swap = above;
      above = row;
      row = swap;
    }
    return out;
  }

  /** Fills {@code out} with a row's differences; returns the sum of their magnitudes. */
  private static long difference(byte[] row, byte[] above, int filter, byte[] out) {
    long sum = 0;
    for (int i = 0; i < out.length; i++) {
      int predicted =
          switch (filter) {
            case SUB -> row[i];
            case UP -> above[i + PIXEL];
            default -> paeth(row[i] & 0xff, above[i + PIXEL] & 0xff, above[i] & 0xff);
          };
      out[i] = (byte) (row[i + PIXEL] - predicted);
      sum += Math.abs(out[i]);
    }
    return sum;
  }

  private static int paeth(int left, int up, int upLeft) {
    int toLeft = Math.abs(up - upLeft);
    int toUp = Math.abs(left - upLeft);
    int toUpLeft = Math.abs(left + up - 2 * upLeft);
    if (toLeft <= toUp && toLeft <= toUpLeft) {
      return left;
    }
    return toUp <= toUpLeft ? up : upLeft;
  }
}
