package dev.gossamer.lm.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelDocument;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.Texts;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NemotronExportTest {
  private static final String EXPORTABLE =
      """
      {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": 32,
       "heads": 4, "kvHeads": 2, "headDim": 8, "activation": "relu2", "positions": "none",
       "experts": {"count": 8, "topK": 3, "inner": 24, "latent": 8, "sharedInner": 8},
       "router": {"scores": "sigmoid", "scaling": 2.5}}
      """;

  @TempDir private Path folder;

  private static ModelSettings settings(String text) throws IOException {
    return ModelDocument.read(
        SettingsFile.of("test", (ObjectNode) new ObjectMapper().readTree(text)));
  }

  /** With and without a shared expert, which that model always has. */
  @ParameterizedTest
  @ValueSource(ints = {8, 0})
  void exportedBigMacComesBackTheSame(int shared) throws IOException {
    ModelSettings settings =
        settings(EXPORTABLE.replace("\"sharedInner\": 8", "\"sharedInner\": " + shared));
    int[] ids = {'T', 'h', 'e', ' ', 's', 'e', 'a'};
    Path out = folder.resolve("exported");
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        TextTokenizer bytes = TextTokenizer.open(Texts.tokens(folder, 257));
        LanguageModel model = new LanguageModel(settings, 3, DType.FLOAT32, threads)) {
      model.expertLayers().get(1).router().bias(new double[] {.1, 0, -.2, 0, 0, .3, 0, 0});
      double[] expected = model.logits(ids, 1).toDoubles();
      NemotronExport.write(model, bytes, out, DType.FLOAT32);
      try (SavedModel back = SavedModel.open(out, DType.FLOAT32, threads, line -> {})) {
        assertThat(back.model().logits(ids, 1).toDoubles()).containsExactly(expected, offset(1e-6));
        assertThat(back.tokenizer().end()).hasValue(256);
      }
    }
    assertThat(out.resolve("generation_config.json")).content().contains("256");
  }

  @Test
  void whatNemotronCannotBeIsListed() throws IOException {
    ModelSettings other =
        settings(
            """
            {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": 32,
             "heads": 4, "norm": "layer", "gated": true,
             "experts": {"count": 8, "topK": 3, "inner": 24, "latent": 8, "firstDense": 1,
               "latentNorm": true}}
            """);
    assertThat(NemotronExport.obstacles(other))
        .containsExactly(
            "norm is not rms",
            "attention has positions (positions must be none)",
            "some layers have no experts",
            "experts are gated",
            "the narrow sum is normalised",
            "the router's scores are not sigmoid");
    assertThat(NemotronExport.obstacles(settings(EXPORTABLE))).isEmpty();
    ModelSettings latent =
        settings(
            """
            {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": 32,
             "heads": 4, "latentAttention": {"rank": 4, "plainDim": 4, "rotaryDim": 2, "valueDim": 4},
             "experts": {"count": 8, "topK": 3, "inner": 24, "latent": 8, "sharedInner": 8,
               "sharedGate": true},
             "router": {"scores": "sigmoid"}}
            """);
    assertThat(NemotronExport.obstacles(latent))
        .containsExactly(
            "attention has positions (positions must be none)",
            "attention is latent",
            "the shared expert has a gate");
    try (Threads threads = new Threads(1);
        TextTokenizer bytes = TextTokenizer.open(Texts.tokens(folder, 257));
        LanguageModel model = new LanguageModel(other, 3, DType.FLOAT32, threads)) {
      assertThatThrownBy(
              () -> NemotronExport.write(model, bytes, folder.resolve("x"), DType.FLOAT32))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("norm is not rms; attention has positions");
      assertThat(folder.resolve("x")).doesNotExist();
    }
  }
}
