package dev.gossamer.tensor.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
  @TempDir Path folder;

  private ModelConfig read(String json) throws IOException {
    return ModelConfig.read(Files.writeString(folder.resolve("config.json"), json));
  }

  private static void assertRefused(Runnable reading, String reason) {
    assertThatThrownBy(reading::run)
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("config.json")
        .hasMessageContaining(reason)
        .hasMessageNotContaining("\n");
  }

  @Test
  void readsEveryKindOfValue() throws IOException {
    ModelConfig config =
        read(
            """
            {"_class_name": "Model", "layers": 3, "eps": 1e-6, "affine": true, "act": "silu",
             "patch": [1, 2], "mean": [0.5, -1], "down": [true, false], "names": ["a", null]}
            """);
    assertThat(config.className()).isEqualTo("Model");
    assertThat(config.whole("layers", 0)).isEqualTo(3);
    assertThat(config.real("eps", 0)).isEqualTo(1e-6);
    assertThat(config.real("layers", 0)).isEqualTo(3);
    assertThat(config.flag("affine", false)).isTrue();
    assertThat(config.text("act", "")).isEqualTo("silu");
    assertThat(config.wholes("patch")).containsExactly(1, 2);
    assertThat(config.reals("mean")).containsExactly(0.5, -1);
    assertThat(config.flags("down")).containsExactly(true, false);
    assertThat(config.texts("names")).containsExactly("a", "");
    assertThat(config.keys()).hasSize(9).contains("eps");
    assertThat(config.has("eps")).isTrue();
    assertThat(config.has("none")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"w\": null, \"r\": null, \"f\": null, \"t\": null, \"ws\": null, \"fs\": null}"
      })
  void takesDefaultsForMissingAndNullKeys(String json) throws IOException {
    ModelConfig config = read(json);
    assertThat(config.whole("w", 7)).isEqualTo(7);
    assertThat(config.real("r", 0.5)).isEqualTo(0.5);
    assertThat(config.flag("f", true)).isTrue();
    assertThat(config.text("t", "x")).isEqualTo("x");
    assertThat(config.wholes("ws", 1, 2)).containsExactly(1, 2);
    assertThat(config.flags("fs", true)).containsExactly(true);
    assertThat(config.texts("ts")).isEmpty();
    assertThat(config.className()).isEmpty();
  }

  @Test
  void takesTheArchitectureOfTransformersModels() throws IOException {
    assertThat(read("{\"architectures\": [\"UMT5EncoderModel\"]}").className())
        .isEqualTo("UMT5EncoderModel");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "1.5",
        "\"3\"",
        "[1]",
        "{\"a\": 1}",
        "true",
        "4294967296",
        "1e400",
        "[1, null]",
        "[\"a\", 1]",
        "{\"0\": true}",
        "[true, 1]"
      })
  void namesFileKeyAndValueOfTheWrongKind(String value) throws IOException {
    ModelConfig config = read("{\"k\": " + value + "}");
    int refusals = 0;
    for (Consumer<ModelConfig> reading :
        java.util.List.<Consumer<ModelConfig>>of(
            c -> c.whole("k", 0),
            c -> c.real("k", 0),
            c -> c.flag("k", true),
            c -> c.text("k", ""),
            c -> c.wholes("k"),
            c -> c.reals("k"),
            c -> c.flags("k"),
            c -> c.texts("k"))) {
      try {
        reading.accept(config);
      } catch (BadInputException e) {
        refusals++;
        assertThat(e.getMessage()).contains("config.json: 'k' is ").contains(", not ");
      }
    }
    assertThat(refusals).isGreaterThanOrEqualTo(5);
    assertRefused(() -> config.whole("k", 0), "a whole number");
  }

  @Test
  void refusesNumbersBeyondDouble() throws IOException {
    ModelConfig config = read("{\"a\": 1e400, \"b\": [1e400]}");
    assertRefused(() -> config.real("a", 0), "a number");
    assertRefused(() -> config.reals("b"), "a list of numbers");
  }

  @Test
  void quotesLongValuesInPart() throws IOException {
    ModelConfig config = read("{\"k\": \"" + "x".repeat(10_000) + "\"}");
    assertThatThrownBy(() -> config.whole("k", 0))
        .satisfies(e -> assertThat(e.getMessage().length()).isLessThan(500));
    assertThatThrownBy(() -> config.require(false, "k", "Use another"))
        .hasMessageContaining("Use another")
        .satisfies(e -> assertThat(e.getMessage().length()).isLessThan(500));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "[]", "3", "null", "{", "{\"a\": }", "{\"a\": 1 \"b\": 2}"})
  void refusesWhatIsNoJsonObject(String json) {
    assertRefused(
        () -> {
          try {
            read(json);
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        },
        "Cannot read");
  }

  @Test
  void saysWhereAFileIsNoJson() {
    assertThatThrownBy(() -> read("{\"a\": 1,\n \"b\": }"))
        .hasMessageEndingWith(
            "it is not valid JSON at line 2, column 7. Correct the file or download it again");
  }

  @Test
  void refusesMissingFilesAndFolders() {
    assertRefused(() -> ModelConfig.read(folder.resolve("config.json")), "no such file");
    assertThatThrownBy(() -> ModelConfig.read(folder)).isInstanceOf(BadInputException.class);
  }

  @Test
  void refusesFilesTooLargeForAConfiguration() throws IOException {
    Path path = folder.resolve("config.json");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(1L << 33);
    }
    assertRefused(() -> ModelConfig.read(path), "8589934592 bytes");
  }
}
