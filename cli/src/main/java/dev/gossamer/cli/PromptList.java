package dev.gossamer.cli;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.List;
import java.util.Locale;

/**
 * The prompts of {@code --prompts}: one per line of a UTF-8 file; blank lines and those that begin
 * with {@code #} are left out.
 *
 * @param name of the file, without its ending
 * @param prompts in the file's order, at least one
 */
record PromptList(String name, List<String> prompts) {
  private static final int SLUG_LENGTH = 48;

  PromptList {
    prompts = List.copyOf(prompts);
  }

  /**
   * @throws BadInputException if the file cannot be read or holds no prompt
   */
  static PromptList read(Path file) {
    List<String> lines;
    try {
      lines = Files.readAllLines(file, StandardCharsets.UTF_8);
    } catch (CharacterCodingException e) {
      throw new BadInputException(
          "Cannot read the prompts in " + file + ": not UTF-8 text", "Save it as UTF-8", e);
    } catch (IOException e) {
      String why = Files.isDirectory(file) ? "it is a folder" : PartFile.reason(e);
      throw new BadInputException(
          "Cannot read the prompts in " + file + ": " + why,
          "Name a text file with one prompt per line",
          e);
    }
    List<String> prompts =
        lines.stream()
            .map(line -> line.replace("\uFEFF", "").strip())
            .filter(line -> !line.isEmpty() && !line.startsWith("#"))
            .toList();
    if (prompts.isEmpty()) {
      throw new BadInputException(
          "There is no prompt in " + file, "Write one per line; # begins a comment");
    }
    String name = file.getFileName().toString().replaceAll("(?<=.)\\.[^.]*$", "");
    return new PromptList(name, prompts);
  }

  /** Where the videos go if nobody says otherwise: a folder of the file's name, here. */
  Path folder() {
    return Path.of(name + "-videos");
  }

  /**
   * Where a prompt's video goes: its number and its words.
   *
   * @param index from 0
   */
  Path output(Path folder, int index) {
    int digits = Math.max(3, String.valueOf(prompts.size()).length());
    String number = String.format(Locale.ROOT, "%0" + digits + "d", index + 1);
    return folder.resolve(number + "-" + slug(prompts.get(index)) + ".mp4");
  }

  /** A prompt as a file name: lower-case ASCII letters, digits and dashes, not empty. */
  static String slug(String prompt) {
    String plain =
        Normalizer.normalize(prompt, Normalizer.Form.NFKD)
            .toLowerCase(Locale.ROOT)
            .replaceAll("\\p{M}", "")
            .replaceAll("[^a-z0-9]+", "-");
    String cut = plain.length() > SLUG_LENGTH ? plain.substring(0, SLUG_LENGTH) : plain;
    String trimmed = cut.replaceAll("^-|-$", "");
    return trimmed.isEmpty() ? "video" : trimmed;
  }
}
