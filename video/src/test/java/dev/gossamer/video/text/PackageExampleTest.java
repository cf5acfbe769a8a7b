package dev.gossamer.video.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.video.schedulers.Schedule;
import dev.gossamer.video.schedulers.Stepper;
import dev.gossamer.video.schedulers.UniPc;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The examples of the packages' documentation. */
class PackageExampleTest {
  @Test
  void encodesAPrompt() {
    Path checkpoint = MiniModel.folder();
    try (Scope scope = Scope.open();
        Tokenizer tokenizer = Tokenizer.open(checkpoint.resolve("tokenizer"));
        T5Encoder encoder =
            T5Encoder.open(checkpoint.resolve("text_encoder"), DType.BFLOAT16, Device.CPU)) {
      long[] ids = tokenizer.encode(PromptCleaning.clean("a cat &amp; a ball"), 512).ids();
      Tensor rows = encoder.encode(Tensor.of(ids, 1, ids.length)); // [1, tokens, width]
      assertThat(rows.shape()).containsExactly(1, ids.length, encoder.config().width());
    }
  }

  @Test
  void walksFromNoiseToAVideo() {
    try (Scope scope = Scope.open()) {
      Tensor latents = Tensor.full(3, DType.FLOAT32, 4);
      Schedule schedule = UniPc.WAN.withFlowShift(5).plan(20);
      try (Stepper stepper = schedule.stepper()) {
        for (int i = 0; i < schedule.steps(); i++) {
          Tensor velocity = latents.sub(1).div(schedule.sigmas()[i]); // a model that knows: all 1
          latents = stepper.step(i, velocity, latents);
        }
      }
      assertThat(Golden.maxDifference(latents, Tensor.full(1, DType.FLOAT32, 4))).isLessThan(1e-5);
    }
  }
}
