package dev.gossamer.bench.shapes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.weights.SafetensorsWriter.Outline;
import dev.gossamer.tensor.weights.TensorFiles;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoFamily;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RandomCheckpointTest {
  @TempDir private Path temp;

  /**
   * Counts of the released models. HunyuanVideo's two text encoders are added up, without the last
   * two Llama layers, which nothing reads, and its autoencoder has its decoder alone.
   */
  @ParameterizedTest
  @CsvSource({
    "wan2.1-t2v-1.3b, 5680910336, 1418996800, 126892531",
    "wan2.1-t2v-14b, 5680910336, 14288491584, 126892531",
    "cogvideox-2b, 4762310656, 1693783872, 215583907",
    "cogvideox-5b, 4762310656, 5570283072, 215583907",
    "cogvideox1.5-5b, 4762310656, 5570676352, 215583907",
    "hunyuanvideo, 7192019200, 12821012544, 246478803"
  })
  void shapesHaveAsManyNumbersAsTheReleasedModels(
      String option, long text, long transformer, long vae) throws IOException {
    ReleasedShape shape = ReleasedShape.of(option);
    shape.writeTo(temp);
    RandomCheckpoint random = new RandomCheckpoint(shape, DType.BFLOAT16, 0);
    Checkpoint checkpoint = Checkpoint.open(temp);
    long[] counts = new long[3];
    for (VideoFamily.Component part : TextToVideo.family(checkpoint).components(checkpoint)) {
      int at = part.name().startsWith("text") ? 0 : part.name().equals("transformer") ? 1 : 2;
      counts[at] +=
          random.outlines(part).values().stream().mapToLong(Outline::bytes).sum()
              / DType.BFLOAT16.bytes();
    }
    assertThat(counts).containsExactly(text, transformer, vae);
  }

  @Test
  void fillsAFolderThatLoads() throws IOException {
    Path small = withoutWeights("small");
    RandomCheckpoint random = new RandomCheckpoint(ReleasedShape.WAN_1_3B, DType.FLOAT32, 1);
    random.fill(Checkpoint.open(small), BenchProgress.NONE);
    Checkpoint checkpoint = Checkpoint.open(small);
    List<ComponentInspection> parts = TextToVideo.family(checkpoint).inspect(checkpoint);
    assertThat(parts).hasSize(3).allMatch(part -> part.problems().isEmpty());
    assertThat(parts).allMatch(part -> part.bytesByType().keySet().equals(Set.of("F32")));

    Path same = withoutWeights("same");
    random.fill(Checkpoint.open(same), BenchProgress.NONE);
    for (ComponentInspection part : parts) {
      Path file = TensorFiles.in(small.resolve(part.name())).files().get(0).path();
      assertThat(same.resolve(small.relativize(file))).hasSameBinaryContentAs(file);
    }
  }

  @Test
  void leavesNothingWhenItIsStopped() throws IOException {
    RandomCheckpoint random = new RandomCheckpoint(ReleasedShape.COGVIDEOX_2B, DType.BFLOAT16, 0);
    BenchProgress stop =
        new BenchProgress() {
          @Override
          public void note(String line) {}

          @Override
          public boolean cancelled() {
            return true;
          }
        };
    Path folder = temp.resolve("new/model");
    assertThatThrownBy(() -> random.write(folder, stop))
        .isInstanceOf(InterruptedRunException.class);
    assertThat(folder.getParent()).isEmptyDirectory();
  }

  @Test
  void leavesAFolderThatHoldsSomethingAlone() throws IOException {
    Files.writeString(temp.resolve("mine.txt"), "mine");
    RandomCheckpoint random = new RandomCheckpoint(ReleasedShape.WAN_14B, DType.BFLOAT16, 0);
    assertThatThrownBy(() -> random.write(temp, BenchProgress.NONE))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no empty folder");
  }

  private Path withoutWeights(String name) throws IOException {
    Path from = MiniModel.folder();
    Path to = temp.resolve(name);
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.filter(one -> !one.toString().endsWith(".safetensors")).toList()) {
        Path copy = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(copy);
        } else {
          Files.copy(file, copy);
        }
      }
    }
    return to;
  }
}
