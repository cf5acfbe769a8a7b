package dev.gossamer.video;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Encoded prompts on disk, so that a prompt that was drawn before needs no text encoder: one small
 * file each, found by a digest of the prompt, the encoder and its type.
 *
 * <p>Several runs may share a folder: a file is written under a name of its own and then renamed. A
 * file whose digest does not fit its numbers is not used. The folder keeps the {@value #FILES} that
 * were used last. Nothing here makes a run fail: what cannot be read or written is a note.
 */
final class PromptCache {
  private static final int FILES = 512;
  private static final String ENDING = ".safetensors";
  private static final String DIGEST = "sha256";
  private static final String DROPPED = "dropped";

  private final Path folder;
  private final String encoder;

  /**
   * @param folder made when it is first written to
   * @param encoder what tells this text encoder, its tokenizer and type from all others
   */
  PromptCache(Path folder, String encoder) {
    this.folder = folder;
    this.encoder = encoder;
  }

  private Path file(String prompt) {
    return folder.resolve(new Sha256().add(encoder + "\0" + prompt).hex() + ENDING);
  }

  /** Whether a prompt is there; reading it may still show that it is damaged. */
  boolean has(String prompt) {
    return Files.isRegularFile(file(prompt));
  }

  /**
   * An encoded prompt, whole and undamaged; its tensors are on the processor.
   *
   * @param progress hears of a file that cannot be used
   */
  Optional<PromptEncoding> get(String prompt, Progress progress) {
    Path path = file(prompt);
    if (!has(prompt)) {
      return Optional.empty();
    }
    try (Scope scope = Scope.open()) {
      SafetensorsFile stored = SafetensorsFile.open(path);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      stored.entries().keySet().forEach(name -> tensors.put(name, stored.tensor(name).copy()));
      if (!digest(tensors).equals(stored.metadata().get(DIGEST))) {
        progress.note("The kept prompt " + path + " is damaged; encoding it again");
        return Optional.empty();
      }
      Files.setLastModifiedTime(path, FileTime.from(Instant.now()));
      return Optional.of(
          new PromptEncoding(tensors, Integer.parseInt(stored.metadata().get(DROPPED))));
    } catch (GossamerException | IOException | NumberFormatException e) {
      progress.note("The kept prompt " + path + " cannot be used; encoding it again");
      return Optional.empty();
    }
  }

  /** Keeps an encoded prompt. */
  void put(String prompt, PromptEncoding encoding, Progress progress) {
    Path path = file(prompt);
    try (Scope scope = Scope.open()) {
      Files.createDirectories(folder);
      Map<String, Tensor> tensors = new TreeMap<>();
      encoding
          .tensors()
          .forEach(
              (name, tensor) ->
                  tensors.put(name, tensor.to(dev.gossamer.tensor.Device.CPU).contiguous()));
      Path own = folder.resolve(UUID.randomUUID() + ".new");
      SafetensorsWriter.write(
          own, tensors, Map.of(DIGEST, digest(tensors), DROPPED, "" + encoding.dropped()));
      Files.move(own, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      forgetOldest();
    } catch (GossamerException e) {
      progress.note("The prompt is not kept for later: " + e.getMessage());
    } catch (IOException e) {
      progress.note("The prompt is not kept for later in " + folder + ": " + PartFile.reason(e));
    }
  }

  /** Over names, shapes, types and numbers. */
  private static String digest(Map<String, Tensor> tensors) {
    Sha256 sha = new Sha256();
    new TreeMap<>(tensors)
        .forEach(
            (name, tensor) ->
                sha.add(name + " " + tensor.dtype() + " " + List.of(boxed(tensor.shape())) + "\n")
                    .add(tensor));
    return sha.hex();
  }

  private static Long[] boxed(long[] shape) {
    return java.util.Arrays.stream(shape).boxed().toArray(Long[]::new);
  }

  private void forgetOldest() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> newestFirst =
          files
              .filter(path -> path.toString().endsWith(ENDING))
              .sorted(Comparator.comparing(PromptCache::used).reversed())
              .toList();
      for (Path old :
          newestFirst.subList(Math.min(FILES, newestFirst.size()), newestFirst.size())) {
        Files.deleteIfExists(old);
      }
    }
  }

  private static FileTime used(Path path) {
    try {
      return Files.getLastModifiedTime(path);
    } catch (IOException e) {
      return FileTime.fromMillis(0); // another run has just deleted it
    }
  }
}
