package dev.gossamer.lm.data;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Tokens of many documents, mapped from disk: {@code NAME.bin} holds the ids, {@code NAME.idx} says
 * what they are, {@code NAME.documents} where each document begins (u64, little endian). Reading
 * takes no memory of its own; may be used from several threads.
 */
public final class TokenFile {
  private static final int SEGMENT = 1 << 30;

  private final Path path;
  private final TokenIndex index;
  private final ByteBuffer[] tokens;
  private final ByteBuffer[] documents;

  private TokenFile(Path path, TokenIndex index, ByteBuffer[] tokens, ByteBuffer[] documents) {
    this.path = path;
    this.index = index;
    this.tokens = tokens;
    this.documents = documents;
  }

  /**
   * @param path the {@code .bin} file
   * @throws BadInputException if one of the three files is missing, or they do not fit together
   */
  public static TokenFile open(Path path) {
    TokenIndex index = TokenIndex.read(sibling(path, ".idx"));
    ByteBuffer[] tokens = mapped(path, index.tokens() * index.tokenBytes());
    ByteBuffer[] documents = mapped(sibling(path, ".documents"), index.documents() * Long.BYTES);
    TokenFile file = new TokenFile(path, index, tokens, documents);
    file.requireRisingStarts();
    return file;
  }

  /** The file of another ending beside a {@code .bin}. */
  static Path sibling(Path path, String ending) {
    String name = path.getFileName().toString();
    String stem = name.endsWith(".bin") ? name.substring(0, name.length() - 4) : name;
    return path.resolveSibling(stem + ending);
  }

  private static ByteBuffer[] mapped(Path file, long expected) {
    if (!Files.isRegularFile(file)) {
      throw new BadInputException(
          "Cannot read " + file + ": no such file", "Make it by gossamer tokenize");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() != expected) {
        throw new BadInputException(
            String.format(
                "Cannot use %s: it has %d bytes and its index says %d",
                file, channel.size(), expected),
            "Is the copy complete? Make it again by gossamer tokenize");
      }
      ByteBuffer[] segments = new ByteBuffer[(int) ((expected + SEGMENT - 1) / SEGMENT)];
      for (int i = 0; i < segments.length; i++) {
        long from = (long) i * SEGMENT;
        segments[i] =
            channel
                .map(FileChannel.MapMode.READ_ONLY, from, Math.min(SEGMENT, expected - from))
                .order(ByteOrder.LITTLE_ENDIAN);
      }
      return segments;
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
  }

  private void requireRisingStarts() {
    long before = -1;
    for (long i = 0; i < index.documents(); i++) {
      long start = documentStart(i);
      if (start <= before || start >= index.tokens() || i == 0 && start != 0) {
        throw new BadInputException(
            "Cannot use " + sibling(path, ".documents") + ": document " + i + " begins at " + start,
            "Make it again by gossamer tokenize");
      }
      before = start;
    }
  }

  public Path path() {
    return path;
  }

  public TokenIndex index() {
    return index;
  }

  /** First token of a document. */
  public long documentStart(long document) {
    long at = document * Long.BYTES;
    return documents[(int) (at / SEGMENT)].getLong((int) (at % SEGMENT));
  }

  /**
   * Copies neighbouring tokens.
   *
   * @param from first token
   * @param to where they go, from {@code at} on
   */
  public void read(long from, int[] to, int at, int count) {
    if (from < 0 || from + count > index.tokens()) {
      throw new IndexOutOfBoundsException(
          "Tokens " + from + " to " + (from + count) + " of " + index.tokens());
    }
    int bytes = index.tokenBytes();
    for (int i = 0; i < count; i++) {
      long place = (from + i) * bytes;
      ByteBuffer segment = tokens[(int) (place / SEGMENT)];
      int offset = (int) (place % SEGMENT);
      to[at + i] = bytes == 2 ? segment.getShort(offset) & 0xffff : segment.getInt(offset);
    }
  }
}
