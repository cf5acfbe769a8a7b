package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VideoEngineTest {
  @TempDir Path folder;

  private final ToyModel model = new ToyModel();
  private final VideoEngine engine =
      new VideoEngine(model, ModelOptions.defaults().withThreads(2), new Threads(2));
  private final VideoRequest request =
      model.defaults().request("a cat", new DriftingAttention()).withSteps(6);

  @AfterEach
  void close() {
    engine.close();
  }

  private VideoEngine.Draft draft(VideoRequest wanted, boolean resume) {
    return new VideoEngine.Draft(
        wanted,
        Stage.TRANSFORMER,
        Optional.of(folder.resolve("cat.resume")),
        Optional.of(folder.resolve("cat.latents.safetensors")),
        resume,
        true,
        Set.of());
  }

  private VideoEngine.Drawn draw(VideoEngine.Draft draft, Progress progress) {
    return engine.draw(
        draft,
        engine.noise(draft.request()),
        new StageClock(progress),
        progress,
        (done, loop) -> {});
  }

  /** Stops after some steps, then hears nothing more. */
  private static Progress stoppingAfter(int steps) {
    return new Progress() {
      private int done;

      @Override
      public void advance(Stage stage, int now, int all) {
        done = now;
      }

      @Override
      public boolean cancelled() {
        return done >= steps;
      }
    };
  }

  @Test
  void resumedRunEqualsAnUndisturbedOneBitForBit() {
    try (Scope scope = Scope.open()) {
      VideoEngine.Drawn undisturbed = draw(draft(request, false), Progress.NONE);
      for (int stop : new int[] {1, 3, 5}) {
        assertThatThrownBy(() -> draw(draft(request, false), stoppingAfter(stop)))
            .isInstanceOf(InterruptedRunException.class)
            .hasMessageContaining("after step " + stop + " of 6")
            .hasMessageContaining("--resume");
        assertThat(folder.resolve("cat.latents.safetensors")).doesNotExist();
        VideoEngine.Drawn resumed = draw(draft(request, true), Progress.NONE);
        assertThat(resumed.latents().toFloats()).isEqualTo(undisturbed.latents().toFloats());
        assertThat(resumed.trajectory().keySet())
            .containsExactlyElementsOf(undisturbed.trajectory().keySet());
        assertThat(resumed.attention().calls()).isEqualTo(undisturbed.attention().calls());
        assertThat(resumed.attention().labels()).hasSize(12);
      }
    }
  }

  @Test
  void twoStopsInOneRunChangeNothing() {
    try (Scope scope = Scope.open()) {
      VideoEngine.Drawn undisturbed = draw(draft(request, false), Progress.NONE);
      assertThatThrownBy(() -> draw(draft(request, false), stoppingAfter(2)))
          .isInstanceOf(InterruptedRunException.class);
      assertThatThrownBy(() -> draw(draft(request, true), stoppingAfter(4)))
          .isInstanceOf(InterruptedRunException.class);
      VideoEngine.Drawn resumed = draw(draft(request, true), Progress.NONE);
      assertThat(resumed.latents().toFloats()).isEqualTo(undisturbed.latents().toFloats());
    }
  }

  @Test
  void finishedLatentsAreUsedAsTheyAre() {
    try (Scope scope = Scope.open()) {
      VideoEngine.Drawn drawn = draw(draft(request, false), Progress.NONE);
      assertThat(folder.resolve("cat.resume")).doesNotExist();
      assertThat(folder.resolve("cat.latents.safetensors")).exists();
      model.brokenFrom = 0; // whoever denoises again fails
      VideoEngine.Drawn again = draw(draft(request, true), Progress.NONE);
      assertThat(again.latents().toFloats()).isEqualTo(drawn.latents().toFloats());
      assertThat(again.attention().calls()).hasSize(12);
    }
  }

  @Test
  void anEarlierRunStaysUntilAnotherHasSomethingToShow() {
    try (Scope scope = Scope.open()) {
      draw(draft(request, false), Progress.NONE);
      assertThatThrownBy(() -> draw(draft(request.withSeed(1), false), stoppingAfter(0)))
          .isInstanceOf(InterruptedRunException.class);
      assertThat(folder.resolve("cat.latents.safetensors")).exists();
      assertThatThrownBy(() -> draw(draft(request.withSeed(1), false), stoppingAfter(1)))
          .isInstanceOf(InterruptedRunException.class);
      assertThat(folder.resolve("cat.latents.safetensors")).doesNotExist();
    }
  }

  @Test
  void stateIsSavedWhileTheRunGoesOn() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(
              () ->
                  engine.draw(
                      draft(request, false),
                      engine.noise(request),
                      new StageClock(Progress.NONE),
                      Progress.NONE,
                      (done, loop) -> {
                        if (done == 3) {
                          throw new IllegalStateException("killed");
                        }
                      }))
          .hasMessage("killed");
      RunState state = RunState.read(folder.resolve("cat.resume"));
      assertThat(state.done()).isBetween(1, 2);
    }
  }

  @Test
  void refusesToGoOnWithAnotherRequest() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> draw(draft(request, false), stoppingAfter(2)))
          .isInstanceOf(InterruptedRunException.class);
      assertThatThrownBy(() -> draw(draft(request.withGuidance(5), true), Progress.NONE))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("guidance was 3.0 and is now 5.0");
      assertThatThrownBy(
              () -> draw(draft(request.withAttention(new DenseAttention()), true), Progress.NONE))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("attention was drifting and is now dense");
    }
  }

  @Test
  void refusesADamagedState() throws IOException {
    Path file = folder.resolve("cat.resume");
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> draw(draft(request, false), stoppingAfter(2)))
          .isInstanceOf(InterruptedRunException.class);
      byte[] whole = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(whole, whole.length / 2));
      assertThatThrownBy(() -> draw(draft(request, true), Progress.NONE))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("cat.resume")
          .hasMessageContaining("without --resume");
      Files.writeString(file, "not safetensors");
      assertThatThrownBy(() -> draw(draft(request, true), Progress.NONE))
          .isInstanceOf(BadInputException.class);
      // Without the option it is in nobody's way.
      assertThat(draw(draft(request, false), Progress.NONE).latents().count()).isPositive();
    }
  }

  @Test
  void beginsAnewWhereThereIsNothingToGoOnFrom() {
    List<String> notes = new java.util.ArrayList<>();
    Progress hearing =
        new Progress() {
          @Override
          public void note(String line) {
            notes.add(line);
          }
        };
    try (Scope scope = Scope.open()) {
      assertThat(draw(draft(request, true), hearing).attention().calls()).hasSize(12);
    }
    assertThat(notes).singleElement().asString().contains("beginning anew");
  }

  @Test
  void stoppingBeforeTheFirstStepSavesNothing() {
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> draw(draft(request, false), stoppingAfter(0)))
          .isInstanceOf(InterruptedRunException.class)
          .hasMessageContaining("Nothing was lost");
    }
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void interruptingTheThreadStopsTheRunAndSavesItsState() {
    Progress interrupting =
        new Progress() {
          @Override
          public void advance(Stage stage, int done, int all) {
            if (done == 2) {
              Thread.currentThread().interrupt();
            }
          }
        };
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> engine.run(interrupting, told -> draw(draft(request, false), told)))
          .isInstanceOf(InterruptedRunException.class)
          .hasMessageContaining("after step 2 of 6");
      assertThat(Thread.interrupted()).as("the thread is still interrupted").isTrue();
      assertThat(RunState.read(folder.resolve("cat.resume")).done()).isEqualTo(2);
    }
  }

  @Test
  void namesTheStepThatGaveNoNumbers() {
    model.brokenFrom = 2;
    try (Scope scope = Scope.open()) {
      assertThatThrownBy(() -> draw(draft(request, false), Progress.NONE))
          .isInstanceOf(GossamerException.class)
          .hasMessageContaining("step 3 of 6")
          .hasMessageContaining("not finite");
    }
  }

  @Test
  void withoutGuidanceOneBranchIsEnough() {
    try (Scope scope = Scope.open()) {
      assertThat(draw(draft(request.withGuidance(1), false), Progress.NONE).attention().calls())
          .hasSize(6)
          .allMatch(call -> call.branch() == 0);
    }
  }

  @Test
  void negativePromptAndSeedChangeTheLatents() {
    try (Scope scope = Scope.open()) {
      Tensor plain = draw(draft(request, false), Progress.NONE).latents();
      Tensor negative = draw(draft(request.withNegative("dog"), false), Progress.NONE).latents();
      Tensor seeded = draw(draft(request.withSeed(1), false), Progress.NONE).latents();
      assertThat(Golden.maxDifference(plain, negative)).isGreaterThan(1e-3);
      assertThat(Golden.maxDifference(plain, seeded)).isGreaterThan(1e-3);
    }
  }

  @Test
  void stagedPartsAreNeverThereTogether() {
    engine.residency(Residency.STAGED);
    try (Scope scope = Scope.open()) {
      VideoEngine.Drawn drawn = draw(draft(request, false), Progress.NONE);
      assertThat(model.isLoaded(VideoPart.TEXT)).isFalse();
      engine.decode(drawn.latents(), frames -> {}, new StageClock(Progress.NONE), Progress.NONE);
      assertThat(model.isLoaded(VideoPart.TRANSFORMER)).isFalse();
      draw(draft(request.withSeed(2), false), Progress.NONE);
    }
    // The prompts are remembered, so the text encoder is not loaded again.
    assertThat(model.loads)
        .containsExactly(
            VideoPart.TEXT, VideoPart.TRANSFORMER, VideoPart.DECODER, VideoPart.TRANSFORMER);
  }

  @Test
  void manyPromptsDoNotPileUp() {
    try (Scope scope = Scope.open()) {
      draw(draft(request.withSteps(1), false), Progress.NONE);
    }
    long before = Tensor.live();
    for (int i = 0; i < 40; i++) {
      try (Scope scope = Scope.open()) {
        draw(draft(request.withSteps(1).withPrompt("cat " + i), false), Progress.NONE);
      }
    }
    assertThat(Tensor.live() - before).isLessThanOrEqualTo(16);
  }
}
