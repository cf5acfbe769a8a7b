package dev.gossamer.lm.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.settings.SettingsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What stands beside a file of tokens.
 *
 * @param vocabulary ids are below it
 * @param endToken stands behind every document
 * @param tokens in the file, end tokens among them
 * @param documents whose first tokens the file of documents names
 * @param textBytes of the documents in UTF-8
 * @param tokenizer SHA-256 of the {@code tokenizer.json} that made it
 */
public record TokenIndex(
    int vocabulary, int endToken, long tokens, long documents, long textBytes, String tokenizer) {
  private static final String KIND = "gossamer tokens";
  private static final int VERSION = 1;
  private static final int SMALL = 1 << 16;

  /** Bytes of a token: 2 if the vocabulary allows it, else 4, little endian. */
  public int tokenBytes() {
    return vocabulary <= SMALL ? 2 : 4;
  }

  /**
   * @throws BadInputException if it is missing, damaged, or of a kind or version that is unknown
   */
  static TokenIndex read(Path path) {
    if (!Files.isRegularFile(path)) {
      throw new BadInputException(
          "Cannot read " + path + ": no such file",
          "Name a folder of tokens, as gossamer tokenize makes it");
    }
    SettingsFile file = SettingsFile.read(path);
    return file.build(
        () -> {
          String kind = file.text("kind", "");
          int version = file.whole("version");
          if (!kind.equals(KIND) || version != VERSION) {
            throw new BadInputException(
                "Cannot use " + path + ": it is '" + kind + "', version " + version,
                "Make it by gossamer tokenize");
          }
          TokenIndex index =
              new TokenIndex(
                  file.whole("vocabulary"),
                  file.whole("endToken"),
                  file.count("tokens"),
                  file.count("documents"),
                  file.count("textBytes"),
                  file.text("tokenizer", ""));
          String type = file.text("type", "");
          if (!type.equals("u" + 8 * index.tokenBytes())) {
            throw new BadInputException(
                "Cannot use " + path + ": tokens of type '" + type + "'", "Make it again");
          }
          return index;
        });
  }

  void write(Path path) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("kind", KIND);
    document.put("version", VERSION);
    document.put("type", "u" + 8 * tokenBytes());
    document.put("vocabulary", vocabulary);
    document.put("endToken", endToken);
    document.put("tokens", tokens);
    document.put("documents", documents);
    document.put("textBytes", textBytes);
    document.put("tokenizer", tokenizer);
    try {
      PartFile.write(
          path,
          new ObjectMapper()
              .enable(SerializationFeature.INDENT_OUTPUT)
              .writeValueAsBytes(document));
    } catch (IOException e) {
      throw new IllegalStateException(e); // nothing in it that JSON has not
    }
  }
}
