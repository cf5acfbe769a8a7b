package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.mini.MiniModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectCommandTest {
  @TempDir Path temp;

  @Test
  void listsTheMiniModel() throws IOException {
    CommandRun run = CommandRun.of("models", "inspect", "" + MiniModel.folder(), "--json");
    JsonNode document = new ObjectMapper().readTree(run.out());
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(document.path("sound").asBoolean()).isTrue();
    assertThat(document.at("/tokens/256x256, 33 frames").asLong()).isEqualTo(2304);
    assertThat(document.path("components").findValuesAsText("parameters"))
        .containsExactly("573824", "8047936", "2667091");
    assertThat(document.path("components").findValuesAsText("className"))
        .containsExactly("UMT5EncoderModel", "WanTransformer3DModel", "AutoencoderKLWan");
  }

  @Test
  void listsTheMiniModelUnlessAnotherIsNamed() {
    assertThat(CommandRun.of("models", "inspect").out())
        .isEqualTo(CommandRun.of("models", "inspect", "" + MiniModel.folder()).out())
        .contains("all tensors are there and fit");
  }

  @Test
  void listsEveryTensorThatDoesNotFit() throws IOException {
    Path model = TinyCheckpoint.copyTo(temp.resolve("model"));
    TinyCheckpoint.replace(
        model.resolve("transformer/config.json"), "\"ffn_dim\": 96", "\"ffn_dim\": 112");
    CommandRun run = CommandRun.of("models", "inspect", "" + model);
    assertThat(run.exitCode()).isEqualTo(3);
    assertThat(run.out())
        .contains("blocks.0.ffn.net.0.proj.weight")
        .contains("blocks.1.ffn.net.2.weight");
    assertThat(run.err()).matches("gossamer: Cannot use .+: .+, and 5 more\\. .+\\R");
  }

  @Test
  void aFolderThatIsNoModelIsRefused() {
    CommandRun run = CommandRun.of("models", "inspect", "" + temp);
    assertThat(run.exitCode()).isEqualTo(3);
    assertThat(run.err()).matches("gossamer: .+\\R");
    assertThat(run.out()).isEmpty();
  }
}
