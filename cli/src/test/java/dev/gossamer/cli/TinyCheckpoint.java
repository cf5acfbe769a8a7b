package dev.gossamer.cli;

import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.weights.SafetensorsFile;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * The tiny random checkpoints of goldens wan_pipeline, cogvideox_pipeline and hunyuan_pipeline: as
 * they are, or a copy with something wrong. Wan's where none is named.
 */
final class TinyCheckpoint {
  static final String TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors";
  static final String TEXT = "text_encoder/model.safetensors";
  static final String VAE = "vae/diffusion_pytorch_model.safetensors";

  private TinyCheckpoint() {}

  static Path folder() {
    return folder("wan");
  }

  /**
   * @param family wan, cogvideox or hunyuan
   */
  static Path folder(String family) {
    return Golden.path("/goldens/" + family + "_pipeline/checkpoint");
  }

  static Path copyTo(Path target) throws IOException {
    return copy(folder(), target);
  }

  static Path copy(Path source, Path target) throws IOException {
    try (Stream<Path> paths = Files.walk(source)) {
      for (Path path : paths.toList()) {
        Path copy = target.resolve(source.relativize(path).toString());
        if (Files.isDirectory(path)) {
          Files.createDirectories(copy);
        } else {
          Files.copy(path, copy);
        }
      }
    }
    return target;
  }

  /** Cuts some bytes off the end. */
  static void truncate(Path file, int bytes) throws IOException {
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.setLength(access.length() - bytes);
    }
  }

  /** Makes the first number of a float32 tensor NaN. */
  static void poison(Path file, String tensor) throws IOException {
    long offset = SafetensorsFile.open(file).entries().get(tensor).offset();
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.seek(offset);
      access.write(new byte[] {0, 0, (byte) 0xc0, 0x7f});
    }
  }

  static void replace(Path file, String text, String by) throws IOException {
    String before = Files.readString(file);
    if (!before.contains(text)) {
      throw new IllegalArgumentException(file + " has no " + text);
    }
    Files.writeString(file, before.replace(text, by));
  }

  /**
   * A command that generates a small video from this checkpoint.
   *
   * @param more arguments; they take the place of our own of the same name
   */
  static String[] generate(Path model, Path out, String... more) {
    List<String> given = List.of(more);
    Stream<String> own =
        Stream.of("--size=48x32", "--frames=9", "--steps=3", "--threads=2")
            .filter(option -> !given.contains(option.replaceAll("=.*", "")));
    return Stream.of(
            Stream.of("generate", "a cat", "--model", model.toString(), "--out", out.toString()),
            own,
            given.stream())
        .flatMap(arguments -> arguments)
        .toArray(String[]::new);
  }
}
