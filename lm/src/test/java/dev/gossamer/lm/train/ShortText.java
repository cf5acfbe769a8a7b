package dev.gossamer.lm.train;

import dev.gossamer.lm.data.TokenFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/** The beginning of a token file as a token file of its own. */
final class ShortText {
  private ShortText() {}

  static Path write(Path folder, TokenFile text, int tokens) {
    int[] ids = new int[tokens];
    text.read(0, ids, 0, tokens);
    ByteBuffer bytes = ByteBuffer.allocate(2 * tokens).order(ByteOrder.LITTLE_ENDIAN);
    for (int id : ids) {
      bytes.putShort((short) id);
    }
    try {
      Path path = folder.resolve("short-" + tokens + ".bin");
      Files.write(path, bytes.array());
      Files.write(folder.resolve("short-" + tokens + ".documents"), new byte[8]);
      Files.writeString(
          folder.resolve("short-" + tokens + ".idx"),
          String.format(
              "{\"kind\": \"gossamer tokens\", \"version\": 1, \"type\": \"u16\", \"vocabulary\":"
                  + " 257, \"endToken\": 256, \"tokens\": %d, \"documents\": 1, \"textBytes\": %d}",
              tokens, tokens));
      return path;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
