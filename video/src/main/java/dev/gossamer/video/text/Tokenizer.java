package dev.gossamer.video.text;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.text.OfflineTokenizers;
import dev.gossamer.tensor.weights.TensorFiles;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Turns text into token ids as a checkpoint's {@code tokenizer.json}, {@code spiece.model} or
 * {@code vocab.json} says: normalisation, splitting, Unigram or BPE, special tokens. HuggingFace's
 * own tokenizers library does the work.
 *
 * <p>Nothing is ever downloaded. May be used from several threads; free it with {@link #close()}.
 */
public final class Tokenizer implements AutoCloseable {
  /** The tensor that carries a SentencePiece model in the single file of a text encoder. */
  static final String CARRIED = "spiece_model";

  private final Path folder;
  private final long padId;
  private final HuggingFaceTokenizer tokenizer;

  private Tokenizer(Path folder, long padId, HuggingFaceTokenizer tokenizer) {
    this.folder = folder;
    this.padId = padId;
    this.tokenizer = tokenizer;
  }

  /**
   * Opens a tokenizer folder of a checkpoint: {@code tokenizer.json}, else T5's {@code
   * spiece.model}, else CLIP's {@code vocab.json} and {@code merges.txt}; and, for the pad token,
   * {@code tokenizer_config.json} or {@code special_tokens_map.json}. A {@code tokenizer.json} or
   * SentencePiece model may also be named itself.
   *
   * @throws BadInputException if they are missing or damaged, or have no pad token
   * @throws EnvironmentException if the native library cannot be loaded on this machine
   */
  public static Tokenizer open(Path folder) {
    if (Files.isRegularFile(folder)) {
      return openFile(folder);
    }
    Path file = folder.resolve("tokenizer.json");
    Path pieces = folder.resolve("spiece.model");
    if (Files.isRegularFile(file)) {
      long padId = TokenizerFile.read(file).padId();
      return open(folder, file, padId, () -> Files.newInputStream(file));
    }
    if (Files.isRegularFile(pieces)) {
      return open(folder, pieces, SentencePieceFile.json(pieces));
    }
    if (ClipVocabulary.isIn(folder)) {
      return open(folder, folder.resolve("vocab.json"), ClipVocabulary.read(folder));
    }
    throw new BadInputException(
        "Cannot open the tokenizer in "
            + folder
            + ": no tokenizer.json"
            + (Files.isRegularFile(folder.resolve("vocab.json")) ? ", only vocab.json" : ""),
        "Only tokenizer.json, spiece.model and CLIP's vocab.json with merges.txt are read; save the"
            + " tokenizer with transformers' save_pretrained");
  }

  private static Tokenizer openFile(Path file) {
    Path folder = file.toAbsolutePath().getParent();
    if (file.getFileName().toString().endsWith(".json")) {
      return open(folder, file, TokenizerFile.read(file).padId(), () -> Files.newInputStream(file));
    }
    return open(folder, file, SentencePieceFile.json(file));
  }

  /** Whether a folder holds a tokenizer that {@link #open} reads. */
  public static boolean isIn(Path folder) {
    return Files.isRegularFile(folder.resolve("tokenizer.json"))
        || Files.isRegularFile(folder.resolve("spiece.model"))
        || ClipVocabulary.isIn(folder);
  }

  /** Whether a text encoder's weights carry their tokenizer with them. */
  public static boolean isCarriedBy(TensorFiles weights) {
    return weights.has(CARRIED);
  }

  /**
   * Opens the SentencePiece model that single-file text encoders carry as the tensor {@code
   * spiece_model}: its bytes.
   *
   * @throws BadInputException if it is missing or damaged
   */
  public static Tokenizer carriedBy(TensorFiles weights) {
    Path file = weights.origin();
    try (Scope scope = Scope.open()) {
      Tensor bytes = weights.tensor(CARRIED);
      if (bytes.dtype() != DType.UINT8 || bytes.count() == 0) {
        throw new BadInputException(
            "Cannot read the tokenizer in " + file + ": '" + CARRIED + "' holds no bytes",
            "Name another with --tokenizer");
      }
      byte[] content = new byte[(int) bytes.count()];
      bytes.memory().get(content);
      return open(file, file, SentencePieceFile.json(file, content));
    }
  }

  private interface Source {
    InputStream open() throws IOException;
  }

  /** Opens what another form of tokenizer was made into. */
  private static Tokenizer open(Path folder, Path file, ObjectNode json) {
    byte[] bytes = json.toString().getBytes(StandardCharsets.UTF_8);
    long padId = TokenizerFile.of(file, json).padId();
    return open(folder, file, padId, () -> new ByteArrayInputStream(bytes));
  }

  private static Tokenizer open(Path folder, Path file, long padId, Source source) {
    try (InputStream json = source.open()) {
      return new Tokenizer(folder, padId, OfflineTokenizers.open(file, json));
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + firstLine(e), "Download the file again", e);
    }
  }

  private static String firstLine(Throwable failure) {
    return String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
  }

  /** What fills rows up to a fixed length. */
  public long padId() {
    return padId;
  }

  /**
   * The ids of a text with the special tokens around it, at most {@code maxLength}: a longer text
   * loses its last tokens, never the end token.
   *
   * @param text any text; halves of surrogate pairs count as question marks
   * @throws BadInputException if the special tokens alone are more than {@code maxLength}
   * @throws IllegalStateException after {@link #close()}
   */
  public TokenIds encode(String text, int maxLength) {
    String whole = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    Encoding encoding;
    try {
      encoding = tokenizer.encode(whole, true, false);
    } catch (IllegalStateException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new BadInputException(
          "Cannot tokenize with the tokenizer in " + folder + ": " + firstLine(e),
          "Download the file again",
          e);
    }
    long[] ids = truncate(encoding, maxLength);
    return new TokenIds(ids, padId, encoding.getIds().length - ids.length);
  }

  /** Cuts the text between the special tokens that the post-processor put before and after it. */
  private long[] truncate(Encoding encoding, int maxLength) {
    long[] ids = encoding.getIds();
    if (ids.length <= maxLength) {
      return ids;
    }
    long[] special = encoding.getSpecialTokenMask();
    int after = 0;
    while (after < ids.length && special[ids.length - 1 - after] == 1) {
      after++;
    }
    int before = 0;
    while (before < ids.length - after && special[before] == 1) {
      before++;
    }
    if (before + after > maxLength) {
      throw new BadInputException(
          "Cannot tokenize: " + folder + " adds " + (before + after) + " special tokens",
          "Allow at least as many tokens, not " + maxLength);
    }
    long[] cut = new long[maxLength];
    System.arraycopy(ids, 0, cut, 0, maxLength - after);
    System.arraycopy(ids, ids.length - after, cut, maxLength - after, after);
    return cut;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
