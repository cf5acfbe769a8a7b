package dev.gossamer.lm.data;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.files.PartFolder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;

/**
 * Text to be turned into token files.
 *
 * @param inputs files whose documents are divided among the splits by a hash of their text, so that
 *     a document always falls into the same one
 * @param given files that belong to a split as a whole
 * @param shares of training, validation and test, in proportion
 * @param reader how files are read
 */
public record Corpus(
    List<Path> inputs, Map<Split, List<Path>> given, double[] shares, DocumentReader reader) {
  /** A part of the documents. */
  public enum Split {
    TRAIN,
    VALIDATION,
    TEST;

    /** The name of its files, without ending. */
    public String stem() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Its token file in a folder. */
    public Path in(Path folder) {
      return folder.resolve(stem() + ".bin");
    }
  }

  /** The text that ships inside: the beginnings of four books, each a document. */
  public static String excerpt() {
    try (InputStream text = Corpus.class.getResourceAsStream("excerpt.txt")) {
      return new String(text.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new IllegalStateException("Cannot read what ships inside: excerpt.txt", e);
    }
  }

  public Corpus {
    inputs = List.copyOf(inputs);
    given = Map.copyOf(given);
    shares = shares.clone();
    boolean bad = shares.length != 3 || shares[0] <= 0;
    for (double share : shares) {
      bad |= !(share >= 0) || Double.isInfinite(share);
    }
    if (bad) {
      throw new UsageException(
          "Documents cannot be divided in these shares",
          "Give three numbers, training first and above 0, for example 98,1,1");
    }
  }

  /** Hands every document with its split to {@code use}, files in their order. */
  private void read(BooleanSupplier stop, BiConsumer<Split, String> use) {
    for (Path file : inputs) {
      reader.read(file, document -> checked(stop, splitOf(document), document, use));
    }
    for (Split split : Split.values()) {
      for (Path file : given.getOrDefault(split, List.of())) {
        reader.read(file, document -> checked(stop, split, document, use));
      }
    }
  }

  private static void checked(
      BooleanSupplier stop, Split split, String document, BiConsumer<Split, String> use) {
    if (stop.getAsBoolean()) {
      throw new InterruptedRunException("Interrupted; nothing was written", "");
    }
    use.accept(split, document);
  }

  private Split splitOf(String document) {
    double place;
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(document.getBytes(StandardCharsets.UTF_8));
      place = (ByteBuffer.wrap(hash).getLong() >>> 11) * 0x1p-53;
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
    double sum = shares[0] + shares[1] + shares[2];
    return place < shares[0] / sum
        ? Split.TRAIN
        : place < (shares[0] + shares[1]) / sum ? Split.VALIDATION : Split.TEST;
  }

  /**
   * Learns a byte-level BPE from the training documents.
   *
   * @param vocabulary tokens in all; 257 for bytes alone, which reads nothing
   * @return the content of a {@code tokenizer.json}
   */
  public byte[] learnTokenizer(int vocabulary, BooleanSupplier stop) {
    BytePairs pairs = new BytePairs();
    if (vocabulary > 257) {
      read(
          stop,
          (split, document) -> {
            if (split == Split.TRAIN) {
              pairs.count(document);
            }
          });
    }
    return pairs.learn(vocabulary);
  }

  /**
   * Makes a folder with {@code train.bin}, {@code validation.bin} and {@code test.bin} and their
   * indexes, as far as there are documents for them, and the tokenizer. It is there as a whole or
   * not at all.
   *
   * @param folder absent or empty
   * @param end token behind every document
   * @return what was written
   * @throws BadInputException if there is no training document, or something in the folder
   */
  public Map<Split, TokenIndex> write(
      Path folder, TextTokenizer tokenizer, int end, BooleanSupplier stop) {
    try (PartFolder part = PartFolder.of(folder)) {
      Map<Split, TokenIndex> written = write(part.path(), tokenizer, stop, end);
      PartFile.write(part.path().resolve("tokenizer.json"), tokenizer.json());
      part.commit();
      return written;
    } catch (IOException e) {
      throw TokenWriter.failure(folder, e);
    }
  }

  private Map<Split, TokenIndex> write(
      Path folder, TextTokenizer tokenizer, BooleanSupplier stop, int end) {
    Map<Split, TokenWriter> writers = new EnumMap<>(Split.class);
    try {
      read(
          stop,
          (split, document) ->
              writers
                  .computeIfAbsent(split, s -> new TokenWriter(s.in(folder), tokenizer, end))
                  .add(document));
      if (!writers.containsKey(Split.TRAIN)) {
        throw new BadInputException(
            "There is no document to train with", "Name files with text, or larger shares");
      }
      Map<Split, TokenIndex> written = new EnumMap<>(Split.class);
      writers.forEach((split, writer) -> written.put(split, writer.finish()));
      return written;
    } finally {
      writers.values().forEach(TokenWriter::close);
    }
  }
}
