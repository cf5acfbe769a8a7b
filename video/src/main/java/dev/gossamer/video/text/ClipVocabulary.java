package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * CLIP's tokenizer as it is released, in {@code vocab.json} and {@code merges.txt}, brought into
 * the form of a {@code tokenizer.json}: lower case, words and single digits, bytes as letters, BPE
 * whose words end in {@code </w>}.
 *
 * <p>Source: transformers' {@code CLIPTokenizer}, which makes the same of these files.
 */
final class ClipVocabulary {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final String START = "<|startoftext|>";
  private static final String END = "<|endoftext|>";
  private static final String WORDS =
      "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

  private ClipVocabulary() {}

  /** Whether a folder holds a tokenizer in this form. */
  static boolean isIn(Path folder) {
    return Files.isRegularFile(folder.resolve("vocab.json"))
        && Files.isRegularFile(folder.resolve("merges.txt"));
  }

  /**
   * The folder's {@code tokenizer.json}, as it would be.
   *
   * @throws BadInputException if a file is damaged or lacks CLIP's start and end tokens
   */
  static ObjectNode read(Path folder) {
    Path file = folder.resolve("vocab.json");
    JsonNode vocabulary = vocabulary(file);
    for (String token : List.of(START, END)) {
      if (!vocabulary.path(token).isIntegralNumber()) {
        throw new BadInputException(
            "Cannot use " + file + ": it has no token '" + token + "'",
            "Only CLIP's tokenizer is read from vocab.json; others need a tokenizer.json");
      }
    }
    ObjectNode whole = MAPPER.createObjectNode().put("version", "1.0");
    ArrayNode added = whole.putArray("added_tokens");
    added.add(special(START, vocabulary, true));
    added.add(special(END, vocabulary, false));
    whole.set("normalizer", normalizer());
    whole.set("pre_tokenizer", preTokenizer());
    ObjectNode around = whole.putObject("post_processor").put("type", "RobertaProcessing");
    around.putArray("sep").add(END).add(vocabulary.path(END).asLong());
    around.putArray("cls").add(START).add(vocabulary.path(START).asLong());
    around.put("trim_offsets", false).put("add_prefix_space", false);
    ObjectNode model = whole.putObject("model").put("type", "BPE").put("unk_token", END);
    model.putNull("dropout").putNull("continuing_subword_prefix");
    model.put("end_of_word_suffix", "</w>").put("fuse_unk", false).put("byte_fallback", false);
    model.set("vocab", vocabulary);
    model.set("merges", merges(folder.resolve("merges.txt")));
    return whole;
  }

  private static JsonNode vocabulary(Path file) {
    try {
      JsonNode vocabulary = MAPPER.readTree(file.toFile());
      if (vocabulary.isObject()) {
        return vocabulary;
      }
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": it is not valid JSON", "Download the file again", e);
    }
    throw new BadInputException(
        "Cannot read " + file + ": it is not a JSON object", "Download the file again");
  }

  private static ObjectNode special(String token, JsonNode vocabulary, boolean normalized) {
    return MAPPER
        .createObjectNode()
        .put("id", vocabulary.path(token).asLong())
        .put("content", token)
        .put("single_word", false)
        .put("lstrip", false)
        .put("rstrip", false)
        .put("normalized", normalized)
        .put("special", true);
  }

  private static ObjectNode normalizer() {
    ObjectNode sequence = MAPPER.createObjectNode().put("type", "Sequence");
    ArrayNode steps = sequence.putArray("normalizers");
    steps.addObject().put("type", "NFC");
    ObjectNode spaces = steps.addObject().put("type", "Replace").put("content", " ");
    spaces.putObject("pattern").put("Regex", "\\s+");
    steps.addObject().put("type", "Lowercase");
    return sequence;
  }

  private static ObjectNode preTokenizer() {
    ObjectNode sequence = MAPPER.createObjectNode().put("type", "Sequence");
    ArrayNode steps = sequence.putArray("pretokenizers");
    ObjectNode split = steps.addObject().put("type", "Split").put("behavior", "Removed");
    split.put("invert", true).putObject("pattern").put("Regex", WORDS);
    ObjectNode bytes = steps.addObject().put("type", "ByteLevel").put("add_prefix_space", false);
    bytes.put("trim_offsets", true).put("use_regex", true);
    return sequence;
  }

  /** The pairs in their order; the first line names the file's version. */
  private static ArrayNode merges(Path file) {
    ArrayNode merges = MAPPER.createArrayNode();
    try {
      for (String line : Files.readAllLines(file)) {
        String[] pair = line.split(" ", -1);
        if (!line.isEmpty() && !line.startsWith("#version")) {
          if (pair.length != 2) {
            throw new BadInputException(
                "Cannot read " + file + ": '" + line + "' is no pair", "Download the file again");
          }
          merges.addArray().add(pair[0]).add(pair[1]);
        }
      }
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + e.getMessage(), "Download the file again", e);
    }
    return merges;
  }
}
