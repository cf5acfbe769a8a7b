package dev.gossamer.lm.data;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.text.OfflineTokenizers;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Text to token ids and back, as a {@code tokenizer.json} says. HuggingFace's own library does the
 * work. May be used from several threads; free it with {@link #close()}.
 */
public final class TextTokenizer implements AutoCloseable {
  private static final long MAX_BYTES = 256L << 20;
  private static final int CHUNK = 1 << 15;

  /** What models call the token behind a document, where nothing beside the tokenizer says it. */
  private static final List<String> USUAL_ENDS =
      List.of(BytePairs.END, "<|endoftext|>", "<|end_of_text|>", "</s>", "<|im_end|>", "<eos>");

  /** How SentencePiece writes a byte for which it has no other token, and a space. */
  private static final Pattern BYTE = Pattern.compile("<0x[0-9A-Fa-f]{2}>");

  private static final char SPACE = '\u2581';

  private final byte[] json;
  private final HuggingFaceTokenizer tokenizer;
  private final Map<String, Integer> tokens;
  private final int size;
  private final String[] written; // by id; null where there is none
  private final Set<Integer> added = new HashSet<>();
  private final OptionalInt end;
  private final boolean dividable;
  private final int[] lengths; // bytes of each token; empty unless the tokenizer is byte-level

  private TextTokenizer(Path file, byte[] json, JsonNode root, OptionalInt end) {
    this.json = json;
    this.tokenizer = OfflineTokenizers.open(file, new ByteArrayInputStream(json));
    this.tokens = tokens(root);
    this.size = tokens.values().stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
    this.written = new String[size];
    tokens.forEach((token, id) -> written[id] = token);
    root.path("added_tokens").forEach(token -> added.add(token.path("id").asInt()));
    this.end = end.isPresent() ? end : usualEnd();
    JsonNode before = root.path("pre_tokenizer");
    this.dividable =
        root.path("normalizer").isNull()
            && before.path("type").asText().equals("ByteLevel")
            && before.path("use_regex").asBoolean(true)
            && !before.path("add_prefix_space").asBoolean(true);
    this.lengths =
        root.path("decoder").path("type").asText().equals("ByteLevel") ? lengths(root) : new int[0];
  }

  /**
   * Opens a {@code tokenizer.json}, or that of a model's folder.
   *
   * @throws BadInputException if it is missing or damaged
   */
  public static TextTokenizer open(Path fileOrFolder) {
    Path file =
        Files.isDirectory(fileOrFolder) ? fileOrFolder.resolve("tokenizer.json") : fileOrFolder;
    if (!Files.isRegularFile(file)) {
      throw new BadInputException(
          "Cannot read " + file + ": no such file", "Name a tokenizer.json or a model's folder");
    }
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new BadInputException(
            "Cannot read " + file + ": " + Files.size(file) + " bytes are no tokenizer",
            "Name a tokenizer.json");
      }
      return of(file, Files.readAllBytes(file));
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
  }

  /**
   * @param file where the content stands or will stand, beside which its configuration is sought
   * @param json the content of a {@code tokenizer.json}
   */
  public static TextTokenizer of(Path file, byte[] json) {
    JsonNode root;
    try {
      root = new ObjectMapper().readTree(json);
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": it is not valid JSON", "Copy it again", e);
    }
    if (root == null || !root.path("model").path("vocab").isContainerNode()) {
      throw new BadInputException(
          "Cannot read " + file + ": it has no model with a vocabulary", "Name a tokenizer.json");
    }
    return new TextTokenizer(file, json, root, namedEnd(file, tokens(root)));
  }

  private static Map<String, Integer> tokens(JsonNode root) {
    Map<String, Integer> tokens = new TreeMap<>();
    JsonNode vocabulary = root.path("model").path("vocab");
    if (vocabulary.isObject()) {
      vocabulary.properties().forEach(e -> tokens.put(e.getKey(), e.getValue().asInt()));
    } else { // Unigram: [piece, score] in the order of ids
      for (int id = 0; id < vocabulary.size(); id++) {
        tokens.put(vocabulary.path(id).path(0).asText(), id);
      }
    }
    for (JsonNode added : root.path("added_tokens")) {
      tokens.put(added.path("content").asText(), added.path("id").asInt());
    }
    return tokens;
  }

  /** What {@code tokenizer_config.json} beside it calls the end of a text. */
  private static OptionalInt namedEnd(Path file, Map<String, Integer> tokens) {
    Path config = file.resolveSibling("tokenizer_config.json");
    if (!Files.isRegularFile(config)) {
      return OptionalInt.empty();
    }
    try {
      JsonNode named = new ObjectMapper().readTree(config.toFile()).path("eos_token");
      String token = named.isObject() ? named.path("content").asText() : named.asText("");
      return tokens.containsKey(token) ? OptionalInt.of(tokens.get(token)) : OptionalInt.empty();
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + config + ": it is not valid JSON", "Copy it again", e);
    }
  }

  private OptionalInt usualEnd() {
    return USUAL_ENDS.stream().filter(tokens::containsKey).mapToInt(tokens::get).findFirst();
  }

  private int[] lengths(JsonNode root) {
    int[] lengths = new int[size];
    tokens.forEach((token, id) -> lengths[id] = Math.max(0, ByteAlphabet.length(token)));
    for (JsonNode added : root.path("added_tokens")) {
      lengths[added.path("id").asInt()] =
          added.path("special").asBoolean()
              ? 0
              : added.path("content").asText().getBytes(StandardCharsets.UTF_8).length;
    }
    return lengths;
  }

  /** Ids that there are: one above the highest. */
  public int vocabulary() {
    return size;
  }

  /** The token behind a document, if the tokenizer or what stands beside it names one. */
  public OptionalInt end() {
    return end;
  }

  /** The token of a writing, if there is one. */
  public OptionalInt token(String written) {
    return tokens.containsKey(written) ? OptionalInt.of(tokens.get(written)) : OptionalInt.empty();
  }

  /**
   * How a token is written in the tokenizer's file.
   *
   * @throws IllegalArgumentException if there is no such token
   */
  public String written(int id) {
    if (id < 0 || id >= size || written[id] == null) {
      throw new IllegalArgumentException("There is no token " + id);
    }
    return written[id];
  }

  /**
   * The bytes that a token adds amid a text; those of its writing if it is a special one, and none
   * if there is no such token.
   */
  public byte[] spelled(int id) {
    String writing = id < 0 || id >= size ? null : written[id];
    if (writing == null) {
      return new byte[0];
    }
    if (!added.contains(id)) {
      if (lengths.length > 0) {
        return ByteAlphabet.bytes(writing)
            .orElseGet(() -> writing.getBytes(StandardCharsets.UTF_8));
      }
      if (BYTE.matcher(writing).matches()) {
        return new byte[] {(byte) Integer.parseInt(writing.substring(3, 5), 16)};
      }
    }
    return writing.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
  }

  /** The content of its {@code tokenizer.json}. */
  public byte[] json() {
    return json.clone();
  }

  /** SHA-256 of its {@code tokenizer.json}, in hexadecimal. */
  public String fingerprint() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(json));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The ids of a text with the special tokens that the tokenizer's post-processor adds. */
  public int[] encode(String text) {
    return ids(text, true);
  }

  /**
   * The ids of a text and nothing around them. A long text is encoded in parts where that changes
   * nothing.
   */
  public int[] encodePlain(String text) {
    if (!dividable || text.length() <= CHUNK) {
      return ids(text, false);
    }
    List<int[]> parts = new ArrayList<>();
    int from = 0;
    while (from < text.length()) {
      int to = Math.min(text.length(), from + CHUNK);
      while (to < text.length() && !isBetweenWords(text, to)) {
        to++;
      }
      parts.add(ids(text.substring(from, to), false));
      from = to;
    }
    return parts.stream().flatMapToInt(Arrays::stream).toArray();
  }

  /** Before a space between two letters the pre-tokenizer always divides. */
  private static boolean isBetweenWords(String text, int at) {
    return text.charAt(at) == ' '
        && isPlainLetter(text.charAt(at - 1))
        && at + 1 < text.length()
        && isPlainLetter(text.charAt(at + 1));
  }

  private static boolean isPlainLetter(char letter) {
    return letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z';
  }

  private int[] ids(String text, boolean special) {
    // Halves of surrogate pairs are no text; the library would take them for damage.
    String whole = new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
    long[] ids = tokenizer.encode(whole, special, false).getIds();
    return Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
  }

  /** The text of some ids, without special tokens; bytes that are no UTF-8 as U+FFFD. */
  public String decode(int... ids) {
    if (ids.length == 0) {
      return "";
    }
    return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), true);
  }

  /** Bytes of text that these tokens stand for: exact for byte-level tokenizers. */
  public long bytes(int... ids) {
    if (lengths.length == 0) {
      return decode(ids).getBytes(StandardCharsets.UTF_8).length;
    }
    return Arrays.stream(ids).mapToLong(id -> id < lengths.length ? lengths[id] : 0).sum();
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
