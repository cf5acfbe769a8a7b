package dev.gossamer.lm.data;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.files.PartFile;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the three files of a {@link TokenFile}, document after document, the index last. */
final class TokenWriter implements AutoCloseable {
  private final Path path;
  private final TextTokenizer tokenizer;
  private final int end;
  private final OutputStream tokens;
  private final OutputStream documents;
  private TokenIndex index;

  TokenWriter(Path path, TextTokenizer tokenizer, int end) {
    this.path = path;
    this.tokenizer = tokenizer;
    this.end = end;
    this.index = new TokenIndex(tokenizer.vocabulary(), end, 0, 0, 0, tokenizer.fingerprint());
    this.tokens = stream(path);
    this.documents = stream(TokenFile.sibling(path, ".documents"));
  }

  private static OutputStream stream(Path file) {
    try {
      return new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
    } catch (IOException e) {
      throw failure(file, e);
    }
  }

  static EnvironmentException failure(Path file, IOException e) {
    return new EnvironmentException(
        "Cannot write " + file + ": " + PartFile.reason(e),
        "Check that the folder is writable and has room",
        e);
  }

  void add(String document) {
    int[] ids = tokenizer.encodePlain(document);
    int width = index.tokenBytes();
    ByteBuffer bytes = ByteBuffer.allocate((ids.length + 1) * width).order(ByteOrder.LITTLE_ENDIAN);
    for (int id : ids) {
      put(bytes, id, width);
    }
    put(bytes, end, width);
    ByteBuffer start = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(index.tokens());
    try {
      tokens.write(bytes.array());
      documents.write(start.array());
    } catch (IOException e) {
      throw failure(path, e);
    }
    index =
        new TokenIndex(
            index.vocabulary(),
            end,
            index.tokens() + ids.length + 1,
            index.documents() + 1,
            index.textBytes() + document.getBytes(StandardCharsets.UTF_8).length,
            index.tokenizer());
  }

  private static void put(ByteBuffer bytes, int id, int width) {
    if (width == 2) {
      bytes.putShort((short) id);
    } else {
      bytes.putInt(id);
    }
  }

  TokenIndex finish() {
    close();
    index.write(TokenFile.sibling(path, ".idx"));
    return index;
  }

  @Override
  public void close() {
    try {
      tokens.close();
      documents.close();
    } catch (IOException e) {
      throw failure(path, e);
    }
  }
}
