package dev.gossamer.lm.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.tukaani.xz.XZInputStream;

/**
 * Reads the documents of a file, one at a time. A text file is one document, or several that are
 * divided by lines that hold a form feed alone; of a file ending in {@code .jsonl} every line is an
 * object with a document's text. {@code .xz} and {@code .gz} behind either are unpacked.
 *
 * @param field the text's key in lines of JSON
 */
public record DocumentReader(String field) {
  private static final String SEPARATOR = "\f";
  private static final int LONGEST = 1 << 28;
  private static final int DICTIONARY_KIB = 1 << 20;
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * @param use is given each document without its line ends at the end, empty ones left out
   * @throws BadInputException if the file is missing, damaged, not UTF-8 or not what its name says
   */
  public void read(Path file, Consumer<String> use) {
    if (!Files.isRegularFile(file)) {
      throw new BadInputException("Cannot read " + file + ": no such file", "Name a text file");
    }
    String name = file.getFileName().toString();
    String plain = name.replaceAll("\\.(xz|gz)$", "");
    try (InputStream bytes = unpacked(file, name);
        BufferedReader reader =
            new BufferedReader(
                new InputStreamReader(
                    bytes,
                    StandardCharsets.UTF_8
                        .newDecoder()
                        .onMalformedInput(CodingErrorAction.REPORT)
                        .onUnmappableCharacter(CodingErrorAction.REPORT)))) {
      if (plain.endsWith(".jsonl")) {
        lines(file, reader, use);
      } else {
        text(file, reader, use);
      }
    } catch (CharacterCodingException e) {
      throw new BadInputException(
          "Cannot read " + file + ": it is not UTF-8 text", "Convert it, for example by iconv", e);
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + reason(e), "Is it complete? Copy it again", e);
    }
  }

  /**
   * The whole content of a file, unpacked, as it stands there.
   *
   * @throws BadInputException if the file is missing, damaged or not UTF-8
   */
  public static String whole(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new BadInputException("Cannot read " + file + ": no such file", "Name a text file");
    }
    try (InputStream bytes = unpacked(file, file.getFileName().toString())) {
      byte[] all = bytes.readNBytes(LONGEST + 1);
      if (all.length > LONGEST) {
        throw new BadInputException(
            "Cannot read " + file + ": more than " + LONGEST + " bytes", "Use a shorter text");
      }
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(all)).toString();
    } catch (CharacterCodingException e) {
      throw new BadInputException(
          "Cannot read " + file + ": it is not UTF-8 text", "Convert it, for example by iconv", e);
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + reason(e), "Is it complete? Copy it again", e);
    }
  }

  private static InputStream unpacked(Path file, String name) throws IOException {
    InputStream bytes = Files.newInputStream(file);
    try {
      if (name.endsWith(".xz")) {
        return new XZInputStream(bytes, DICTIONARY_KIB);
      }
      return name.endsWith(".gz") ? new GZIPInputStream(bytes) : bytes;
    } catch (IOException e) {
      bytes.close();
      throw e;
    }
  }

  private static String reason(IOException e) {
    return e.getMessage() == null
        ? e.getClass().getSimpleName().replace("Exception", "") + " error"
        : (e instanceof ZipException ? e.getMessage() : PartFile.reason(e));
  }

  private void lines(Path file, BufferedReader reader, Consumer<String> use) throws IOException {
    int number = 0;
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      number++;
      if (line.isBlank()) {
        continue;
      }
      JsonNode text;
      try {
        text = JSON.readTree(line).path(field);
      } catch (JsonProcessingException e) {
        throw new BadInputException(
            "Cannot read " + file + ": line " + number + " is not valid JSON", "Correct it", e);
      }
      if (!text.isTextual()) {
        throw new BadInputException(
            "Cannot read " + file + ": line " + number + " has no text '" + field + "'",
            "Name the key that has it by --field");
      }
      give(text.asText(), use);
    }
  }

  private static void text(Path file, BufferedReader reader, Consumer<String> use)
      throws IOException {
    StringBuilder document = new StringBuilder();
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      if (line.equals(SEPARATOR)) {
        give(document.toString(), use);
        document.setLength(0);
      } else {
        if (document.length() + line.length() >= LONGEST) {
          throw new BadInputException(
              "Cannot read " + file + ": a document has more than " + LONGEST + " characters",
              "Divide it by lines with a form feed, or use lines of JSON");
        }
        document.append(line).append('\n');
      }
    }
    give(document.toString(), use);
  }

  private static void give(String document, Consumer<String> use) {
    String whole =
        document.endsWith("\n") ? document.substring(0, document.length() - 1) : document;
    if (!whole.isBlank()) {
      use.accept(whole);
    }
  }
}
