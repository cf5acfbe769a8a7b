package dev.gossamer.lm.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.checkpoint.Checkpoint;
import dev.gossamer.lm.data.Texts;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingRunTest {
  private static final String SHORT =
      "{\"dtype\": \"fp32\", \"steps\": 10, \"batch\": 8, \"microBatch\": 1,"
          + " \"checkpoint\": {\"every\": 3, \"keep\": 3}, \"evaluation\": {\"windows\": 3},"
          + " \"optimizer\": {\"biasRate\": 0.01}}";
  private static final String ELASTIC = "{\"deterministic\": \"elastic\"}";
  private static final String SIGMOID =
      "{\"model\": {\"router\": {\"scores\": \"sigmoid\", \"balance\": 0}}}";

  @TempDir private static Path shared;
  private static Path data;

  @TempDir private Path folder;
  private final List<String> notes = new ArrayList<>();

  @BeforeAll
  static void tokenize() {
    data = Texts.tokens(shared, 257);
  }

  @BeforeEach
  void forget() {
    notes.clear();
  }

  private void train(Path out, int ranks, boolean resume, int stopAfter, String... replaced) {
    String[] all = Stream.concat(Stream.of(SHORT), Arrays.stream(replaced)).toArray(String[]::new);
    TrainingRun run = new TrainingRun(TinyRuns.settings(all), data, out, resume);
    LocalRanks.run(
        ranks,
        world -> {
          long[] steps = new long[1];
          TrainProgress progress =
              new TrainProgress() {
                @Override
                public void step(StepReport report) {
                  steps[0] = report.step();
                }

                @Override
                public void note(String line) {
                  notes.add(line);
                }

                @Override
                public boolean cancelled() {
                  return steps[0] == stopAfter;
                }
              };
          try (Threads threads = new Threads(1)) {
            run.run(world, ranks, Device.CPU, threads, progress);
          }
        });
  }

  private static Path checkpoint(Path out, int step) {
    return out.resolve("checkpoints").resolve(String.format("step-%08d", step));
  }

  /** Every tensor of a checkpoint, weights and optimiser, in whichever files they are. */
  private static Map<String, double[]> tensors(Path checkpoint) {
    Map<String, double[]> all = new TreeMap<>();
    try (Scope scope = Scope.open();
        Stream<Path> files = Files.list(checkpoint)) {
      for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
        SafetensorsFile tensors = SafetensorsFile.open(file);
        for (String name : tensors.entries().keySet()) {
          all.put(name, tensors.tensor(name).toDoubles());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return all;
  }

  private static void assertSame(Path found, Path expected) {
    Map<String, double[]> tensors = tensors(expected);
    Map<String, double[]> others = tensors(found);
    assertThat(others.keySet()).isEqualTo(tensors.keySet());
    tensors.forEach((name, value) -> assertThat(others.get(name)).as(name).isEqualTo(value));
    assertThat(Checkpoint.open(found).manifest().routerBias())
        .usingRecursiveComparison()
        .isEqualTo(Checkpoint.open(expected).manifest().routerBias());
  }

  @Test
  void aStoppedRunGoesOnAsIfNothingHadHappened() throws IOException {
    Path undisturbed = folder.resolve("a");
    train(undisturbed, 1, false, -1, SIGMOID);
    Path stopped = folder.resolve("b");
    assertThatThrownBy(() -> train(stopped, 1, false, 5, SIGMOID))
        .hasMessageContaining("Stopped after step 5 of 10, all saved");
    assertThat(checkpoint(stopped, 5)).exists();
    train(stopped, 1, true, -1, SIGMOID);
    assertSame(checkpoint(stopped, 10), checkpoint(undisturbed, 10));
    assertThat(steps(stopped)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10);
    assertThat(losses(stopped)).isEqualTo(losses(undisturbed));
    assertThat(Files.readString(stopped.resolve("config.json")))
        .isEqualTo(Files.readString(undisturbed.resolve("config.json")));
  }

  private static List<Integer> steps(Path out) {
    return Metrics.read(out.resolve("metrics.jsonl")).stream()
        .map(line -> (Integer) line.get("step"))
        .toList();
  }

  private static List<Object> losses(Path out) {
    return Metrics.read(out.resolve("metrics.jsonl")).stream()
        .map(line -> line.getOrDefault("loss", line.get("bitsPerByte")))
        .toList();
  }

  /** Saved by four ranks; gone on with by one, two and eight, to the same bits. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 8})
  void otherRanksGoOn(int ranks) {
    Path undisturbed = folder.resolve("a");
    train(undisturbed, 1, false, -1, ELASTIC, SIGMOID);
    Path moved = folder.resolve("b");
    assertThatThrownBy(
            () -> train(moved, 4, false, 5, ELASTIC, SIGMOID, "{\"parallel\": {\"experts\": 2}}"))
        .hasMessageContaining("Stopped after step 5");
    assertThat(Checkpoint.open(checkpoint(moved, 5)).manifest().ranks()).isEqualTo(4);
    assertThat(checkpoint(moved, 5).resolve("weights-experts-00004-00007.safetensors")).exists();
    train(moved, ranks, true, -1, ELASTIC, SIGMOID);
    assertSame(checkpoint(moved, 10), checkpoint(undisturbed, 10));
  }

  @Test
  void bf16GoesOnWithItsFloat32Masters() {
    Path undisturbed = folder.resolve("a");
    train(undisturbed, 1, false, -1, "{\"dtype\": \"bf16\"}");
    Path stopped = folder.resolve("b");
    assertThatThrownBy(() -> train(stopped, 1, false, 4, "{\"dtype\": \"bf16\"}"))
        .isInstanceOf(GossamerException.class);
    train(stopped, 1, true, -1, "{\"dtype\": \"bf16\"}");
    assertSame(checkpoint(stopped, 10), checkpoint(undisturbed, 10));
  }

  @Test
  void theLatestAndTheBestStay() throws IOException {
    Path out = folder.resolve("a");
    train(
        out,
        1,
        false,
        -1,
        "{\"checkpoint\": {\"every\": 2, \"keep\": 2}, \"evaluation\": {\"every\": 5}}");
    try (Stream<Path> entries = Files.list(out.resolve("checkpoints"))) {
      assertThat(entries.map(e -> e.getFileName().toString()))
          .containsExactlyInAnyOrder("step-00000008", "step-00000010", "latest", "best");
    }
    assertThat(Files.readString(out.resolve("checkpoints/latest"))).isEqualTo("step-00000010\n");
    assertThat(Files.readString(out.resolve("checkpoints/best"))).isEqualTo("step-00000010\n");
    Checkpoint.open(checkpoint(out, 8)).verify();
    assertThat(Checkpoint.open(checkpoint(out, 8)).manifest().bestStep()).isEqualTo(5);
  }

  @Test
  void anotherRunsFolderIsLeftAlone() {
    Path out = folder.resolve("a");
    train(out, 1, false, -1);
    assertThatThrownBy(() -> train(out, 1, false, -1))
        .hasMessageContaining("There is a run in")
        .hasMessageContaining("--resume");
    assertThatThrownBy(() -> train(out, 1, true, -1, "{\"model\": {\"layers\": 3}}"))
        .hasMessageContaining("its model.layers is 2, not 3");
    assertThatThrownBy(() -> train(out, 1, true, -1, "{\"seed\": 3}"))
        .hasMessageContaining("its seed is 1234, not 3");
  }

  private interface Damage {
    void to(Path checkpoint) throws IOException;
  }

  private static void flip(Path file, int at) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length - at] ^= 4;
    Files.write(file, bytes);
  }

  static final Map<String, Damage> DAMAGES = new LinkedHashMap<>();

  static {
    String weights = "weights-experts-00000-00007.safetensors";
    DAMAGES.put(
        "weights-dense.safetensors has",
        c -> {
          Path file = c.resolve("weights-dense.safetensors");
          Files.write(file, Arrays.copyOf(Files.readAllBytes(file), (int) Files.size(file) - 9));
        });
    DAMAGES.put(
        "optimizer-dense.safetensors is not as it was saved",
        c -> flip(c.resolve("optimizer-dense.safetensors"), 77));
    DAMAGES.put(weights, c -> Files.delete(c.resolve(weights)));
    DAMAGES.put(
        "is of step 6 and the checkpoint of step 9",
        c ->
            Files.copy(
                c.resolveSibling("step-00000006").resolve(weights),
                c.resolve(weights),
                StandardCopyOption.REPLACE_EXISTING));
    DAMAGES.put("it is not as it was written", c -> flip(c.resolve("manifest.json"), 50));
    DAMAGES.put("it has no manifest.json", c -> Files.delete(c.resolve("manifest.json")));
    DAMAGES.put("tokenizer.json", c -> flip(c.resolve("tokenizer.json"), 5));
    DAMAGES.put("manifest.json: no such file", c -> Files.delete(c.resolve("manifest.sha256")));
  }

  /** Each damage to the last checkpoint is named, and the one before it gone on with. */
  @Test
  void damagedCheckpointsAreNamedAndLeftOut() throws IOException {
    Path sound = folder.resolve("sound");
    train(sound, 1, false, -1);
    Path stopped = folder.resolve("stopped");
    assertThatThrownBy(() -> train(stopped, 1, false, 9)).isInstanceOf(GossamerException.class);
    int number = 0;
    for (Map.Entry<String, Damage> damage : DAMAGES.entrySet()) {
      Path out = folder.resolve("damaged-" + number++);
      copy(stopped, out);
      damage.getValue().to(checkpoint(out, 9));
      notes.clear();
      train(out, 1, true, -1);
      assertThat(notes).as(damage.getKey()).hasSize(1);
      assertThat(notes.get(0))
          .contains("The checkpoint of step 9 is damaged and left out")
          .contains(damage.getKey().replace("no such file", ""));
      assertSame(checkpoint(out, 10), checkpoint(sound, 10));
      assertThat(steps(out)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10);
      assertThat(out.resolve("checkpoints/step-00000009.damaged")).exists();
    }
  }

  @Test
  void aTensorOfAnotherShapeIsNamed() throws IOException {
    Path out = folder.resolve("a");
    train(out, 1, false, -1);
    Path file = checkpoint(out, 10).resolve("weights-dense.safetensors");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1)) {
      SafetensorsFile stored = SafetensorsFile.open(file);
      stored.entries().keySet().forEach(name -> tensors.put(name, stored.tensor(name).copy()));
      tensors.put("final_norm", tensors.get("final_norm").narrow(0, 0, 3).contiguous());
      SafetensorsWriter.write(file, tensors, Map.of("step", "10"));
      Checkpoint checkpoint = Checkpoint.open(checkpoint(out, 10));
      assertThatThrownBy(checkpoint::verify).hasMessageContaining("weights-dense");
      try (Trainer trainer =
          new Trainer(
              TinyRuns.settings(SHORT),
              TokenFile.open(data.resolve("train.bin")),
              LocalRanks.alone(),
              1,
              Device.CPU,
              threads)) {
        assertThatThrownBy(() -> checkpoint.load(TrainingRun.state(trainer)))
            .hasMessageContaining("'final_norm'")
            .hasMessageContaining("[3]")
            .hasMessageContaining("[16]");
      }
    }
  }

  @Test
  void withoutASoundCheckpointNothingIsMade() throws IOException {
    Path out = folder.resolve("a");
    train(out, 1, false, -1, "{\"checkpoint\": {\"every\": 0}}");
    Files.delete(checkpoint(out, 10).resolve("manifest.json"));
    assertThatThrownBy(() -> train(out, 1, true, -1)).hasMessageContaining("is sound");
  }

  /** A kill can leave any beginning of the files of a checkpoint under its other name. */
  @Test
  void whateverAKillLeavesIsNoCheckpoint() throws IOException {
    Path sound = folder.resolve("sound");
    train(sound, 1, false, -1);
    Path stopped = folder.resolve("stopped");
    assertThatThrownBy(() -> train(stopped, 1, false, 9)).isInstanceOf(GossamerException.class);
    List<String> files;
    try (Stream<Path> all = Files.list(checkpoint(stopped, 9))) {
      files = all.map(f -> f.getFileName().toString()).sorted(Comparator.reverseOrder()).toList();
    }
    for (int there = 0; there <= files.size(); there++) {
      Path out = folder.resolve("killed-" + there);
      copy(stopped, out);
      Path unfinished = out.resolve("checkpoints/step-00000009.tmp");
      Files.move(checkpoint(out, 9), unfinished);
      for (String file : files.subList(there, files.size())) {
        Files.delete(unfinished.resolve(file));
      }
      notes.clear();
      train(out, 1, true, -1);
      assertThat(notes).isEmpty();
      assertSame(checkpoint(out, 10), checkpoint(sound, 10));
      assertThat(unfinished).doesNotExist();
    }
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path path : all.toList()) {
        Files.copy(path, to.resolve(from.relativize(path).toString()));
      }
    }
  }

  @Test
  @Tag("slow")
  void aDenseModelTrainsOnRanksToo() {
    String dense = "{\"model\": {\"structure\": \"dense\", \"experts\": null, \"router\": null}}";
    Path out = folder.resolve("a");
    assertThatThrownBy(() -> train(out, 2, false, 5, dense)).hasMessageContaining("step 5");
    train(out, 4, true, -1, dense);
    assertThat(checkpoint(out, 10).resolve("weights-dense.safetensors")).exists();
  }
}
