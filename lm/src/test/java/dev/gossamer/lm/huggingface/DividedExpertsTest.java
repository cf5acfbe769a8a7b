package dev.gossamer.lm.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.distributed.CommunicationException;
import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.TinyModels;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A text that one rank continues with the experts of several. */
class DividedExpertsTest {
  private static final Completion GREEDY =
      new Completion(SamplingSettings.GREEDY, 16, List.of(), true, true);

  @TempDir private Path folder;

  private static void onRanks(int size, Path model, Consumer<SavedModel> work) {
    LocalRanks.run(size, world -> onRank(world, model, work));
  }

  private static void onRank(Communicator world, Path model, Consumer<SavedModel> work) {
    try (Threads threads = new Threads(1);
        SavedModel opened =
            SavedModel.open(model, DType.FLOAT32, RankGrid.flat(world), threads, line -> {})) {
      opened.model().onFirstRank(() -> work.accept(opened));
    }
  }

  private static int[] continued(SavedModel model, int[] prompt) {
    return GREEDY.run(model.model(), model.tokenizer(), prompt, piece -> {}, () -> false).ids();
  }

  /** Four experts on eight ranks leave some without. */
  @ParameterizedTest
  @CsvSource({
    "qwen2_moe, 1",
    "qwen2_moe, 2",
    "qwen2_moe, 4",
    "qwen2_moe, 8",
    "deepseek_v2, 4",
    "deepseek_v3, 2",
    "nemotron_h, 2"
  })
  void theTextIsThatOfOneRank(String family, int ranks) throws IOException {
    Path model = Goldens.copy(family, folder.resolve("model"));
    int[] prompt = Goldens.ids(family, "prompt_ids");
    AtomicInteger runs = new AtomicInteger();
    AtomicReference<int[]> found = new AtomicReference<>();
    onRanks(
        ranks,
        model,
        opened -> {
          runs.incrementAndGet();
          found.set(continued(opened, prompt));
        });
    assertThat(runs).hasValue(1);
    assertThat(found.get()).isEqualTo(Goldens.ids(family, "generated_ids"));
  }

  @Test
  void severalTextsMayFollowEachOther() throws IOException {
    Path model = Goldens.copy("qwen2_moe", folder.resolve("model"));
    LocalRanks.run(
        2,
        world ->
            onRank(
                world,
                model,
                opened ->
                    assertThat(continued(opened, new int[] {1, 2}))
                        .isEqualTo(continued(opened, new int[] {1, 2}))));
  }

  @Test
  void eachRankHoldsItsShareAlone() throws IOException {
    Path model = Goldens.copy("deepseek_v3", folder.resolve("model"));
    LocalRanks.run(
        4,
        world -> {
          try (Threads threads = new Threads(1);
              LanguageModel own =
                  ImportedFolder.open(model).model(DType.FLOAT32, RankGrid.flat(world), threads)) {
            assertThat(own.firstExpert()).isEqualTo(2 * world.rank());
            assertThat(own.parameters())
                .filteredOn(parameter -> parameter.ofExperts())
                .isNotEmpty()
                .allSatisfy(stack -> assertThat(stack.value().size(0)).isEqualTo(2));
          }
        });
  }

  @Test
  void whatFailsOnTheFirstRankEndsAll() throws IOException {
    Path model = Goldens.copy("qwen2_moe", folder.resolve("model"));
    int[] tooLong = new int[65];
    assertThatThrownBy(() -> onRanks(2, model, opened -> continued(opened, tooLong)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("65 tokens leaves no room");
  }

  @Test
  void aRankThatFailsIsNamed() throws IOException {
    Path model = Goldens.copy("qwen2_moe", folder.resolve("model"));
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2,
                    world -> {
                      if (world.rank() == 1) {
                        throw new GossamerException("No room here", "Make some");
                      }
                      onRank(world, model, opened -> continued(opened, new int[] {1, 2}));
                    }))
        .isInstanceOf(CommunicationException.class)
        .hasMessageContaining("Rank 1 of 2 failed: No room here");
  }

  @Test
  void aModelWithoutExpertsHasNothingToDivide() {
    assertThatThrownBy(
            () ->
                LocalRanks.run(
                    2,
                    world -> {
                      try (Threads threads = new Threads(1);
                          LanguageModel dense =
                              new LanguageModel(
                                  TinyModels.all().get("dense"),
                                  1,
                                  DType.FLOAT32,
                                  RankGrid.flat(world),
                                  threads)) {
                        dense.onFirstRank(() -> {});
                      }
                    }))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("nothing to divide among 2 ranks");
  }
}
