package dev.gossamer.lm.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The beginnings of four books whose rights have ended, for tests. */
public final class Texts {
  private Texts() {}

  /** Four documents, 68 kB. */
  public static Path excerpt() {
    try {
      return Path.of(Corpus.class.getResource("excerpt.txt").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  public static String text() {
    try {
      return Files.readString(excerpt());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Token files of the excerpt, three documents to train with and one to validate. */
  public static Path tokens(Path folder, int vocabulary) {
    try {
      String[] documents = text().split("(?m)^\f\n");
      Path train = folder.resolve("train.txt");
      Files.writeString(train, documents[0] + "\f\n" + documents[1] + "\f\n" + documents[2]);
      Path validation = folder.resolve("validation.txt");
      Files.writeString(validation, documents[3]);
      Corpus corpus =
          new Corpus(
              List.of(),
              Map.of(
                  Corpus.Split.TRAIN, List.of(train), Corpus.Split.VALIDATION, List.of(validation)),
              new double[] {1, 0, 0},
              new DocumentReader("text"));
      Path out = folder.resolve("tokens-" + vocabulary);
      byte[] json = corpus.learnTokenizer(vocabulary, () -> false);
      try (TextTokenizer tokenizer = TextTokenizer.of(out.resolve("tokenizer.json"), json)) {
        corpus.write(out, tokenizer, tokenizer.end().orElseThrow(), () -> false);
      }
      return out;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
