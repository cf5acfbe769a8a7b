package dev.gossamer.lm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.lm.train.TinyRuns;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelCountTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{'tied': false, 'norm': 'layer', 'positions': 'learned', 'attentionBias': true}",
        "{'headNorm': true, 'kvHeads': 1, 'headDim': 6, 'gated': true}",
        "{'experts': {'firstDense': 1, 'sharedInner': 24, 'bias': true, 'projectionBias': true}}",
        "{'experts': {'sharedInner': 8, 'sharedGate': true}}",
        "{'latentAttention': {'rank': 6, 'plainDim': 5, 'rotaryDim': 4, 'valueDim': 3}}",
        "{'latentAttention': {'queryRank': 7, 'rank': 6, 'plainDim': 5, 'rotaryDim': 4, 'valueDim': 3}}",
        "{'experts': {'latentNorm': true, 'gateReadsLatent': true}, 'inner': 40}",
        "{'structure': 'fine-grained', 'experts': {'latent': null}, 'layers': 3}",
        "{'structure': 'dense', 'experts': null, 'router': null, 'inner': 24}"
      })
  void countsWhatAModelHolds(String changes) {
    ModelSettings settings =
        TinyRuns.settings("{\"model\": " + changes.replace('\'', '"') + "}").model();
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        LanguageModel model = new LanguageModel(settings, 1, DType.FLOAT32, threads)) {
      long held = model.parameters().stream().map(Parameter::value).mapToLong(t -> t.count()).sum();
      assertThat(ModelCount.of(settings, 24).parameters()).isEqualTo(held);
    }
  }

  @Test
  void operationsOfAFineGrainedModelByHand() {
    ModelSettings settings =
        TinyRuns.settings(
                "{\"model\": {\"structure\": \"fine-grained\", \"experts\": {\"latent\": null}}}")
            .model();
    ModelCount count = ModelCount.of(settings, 24);
    // Two layers of 16 wide: attention 4 x 16 x 16 weights and 24 positions met twice, a gate of 8,
    // 2 of 8 experts of 2 x 16 x 16; a head of 257.
    double layer = 2 * 4 * 16 * 16 + 4 * 24 * 16 + 2 * 8 * 16 + 2 * 2 * 2 * 16 * 16;
    assertThat(count.forwardFlops()).isEqualTo(2 * layer + 2 * 257 * 16);
    assertThat(count.parameters() - count.activeParameters()).isEqualTo(2 * 6 * 2 * 16 * 16);
  }
}
