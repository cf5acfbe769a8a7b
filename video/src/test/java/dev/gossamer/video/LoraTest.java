package dev.gossamer.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** LoRA files of all key styles change the weights alike, and a video by as much. */
class LoraTest {
  private static final Path CHECKPOINT = Golden.path("/goldens/wan_pipeline/checkpoint");
  private static final String WEIGHT = "blocks.1.attn2.to_out.0.weight";
  private static final int WIDTH = 48;
  private static final int RANK = 2;

  @TempDir Path temp;

  /** A file with these tensors. */
  private LoraFile file(Map<String, Tensor> tensors, double scale) {
    Path file = temp.resolve("lora.safetensors");
    SafetensorsWriter.write(file, tensors, Map.of());
    return new LoraFile(file, scale);
  }

  private static Tensor down() {
    try (Generator generator = Generator.seeded(1)) {
      return generator.normal(RANK, WIDTH);
    }
  }

  private static Tensor up() {
    try (Generator generator = Generator.seeded(2)) {
      return generator.normal(WIDTH, RANK);
    }
  }

  private static TensorFiles with(LoraFile... loras) {
    Checkpoint plain = Checkpoint.open(CHECKPOINT);
    return plain.with(List.of(loras), TextToVideo.family(plain)).files("transformer");
  }

  private static Tensor stored(String name) {
    return TensorFiles.in(CHECKPOINT.resolve("transformer")).tensor(name);
  }

  /** By loops, in float64. */
  private static double[] expected(Tensor weight, Tensor up, Tensor down, double factor) {
    float[] w = weight.toFloats();
    float[] u = up.toFloats();
    float[] d = down.toFloats();
    double[] sum = new double[w.length];
    int columns = d.length / RANK;
    for (int row = 0; row < w.length / columns; row++) {
      for (int column = 0; column < columns; column++) {
        double added = 0;
        for (int r = 0; r < RANK; r++) {
          added += (double) u[row * RANK + r] * d[r * columns + column];
        }
        sum[row * columns + column] = w[row * columns + column] + factor * added;
      }
    }
    return sum;
  }

  private static void assertChanged(TensorFiles files, String name, double[] expected) {
    float[] found = files.tensor(name).toFloats();
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) found[i])
          .isCloseTo(expected[i], org.assertj.core.data.Offset.offset(1e-5));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "transformer.blocks.1.attn2.to_out.0, lora_A.weight, lora_B.weight",
    "blocks.1.attn2.to_out.0, lora_A.default.weight, lora_B.default.weight",
    "base_model.model.blocks.1.attn2.to_out.0, lora_A.weight, lora_B.weight",
    "diffusion_model.blocks.1.cross_attn.o, lora_A.weight, lora_B.weight",
    "diffusion_model.blocks.1.cross_attn.o, lora_down.weight, lora_up.weight",
    "blocks.1.cross_attn.o, lora_down.weight, lora_up.weight",
    "lora_unet_blocks_1_cross_attn_o, lora_down.weight, lora_up.weight",
    "lora_unet_blocks_1_attn2_to_out_0, lora_down.weight, lora_up.weight"
  })
  void everyStyleOfKeysIsUnderstood(String module, String down, String up) {
    try (Scope scope = Scope.open()) {
      TensorFiles changed =
          with(
              file(
                  Map.of(
                      module + "." + down,
                      down(),
                      module + "." + up,
                      up(),
                      module + ".alpha",
                      Tensor.of(new float[] {4}, 1)),
                  0.5));
      assertChanged(changed, WEIGHT, expected(stored(WEIGHT), up(), down(), 0.5 * 4 / RANK));
      changed
          .entries()
          .keySet()
          .forEach(
              name -> {
                if (!name.equals(WEIGHT)) {
                  assertThat(changed.tensor(name).toFloats()).isEqualTo(stored(name).toFloats());
                }
              });
    }
  }

  @Test
  void kernelsOfThePatchesChangeToo() {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(3)) {
      Tensor down = generator.normal(RANK, 4, 1, 2, 2);
      Tensor up = generator.normal(WIDTH, RANK, 1, 1, 1);
      TensorFiles changed =
          with(
              file(
                  Map.of(
                      "patch_embedding.lora_down.weight",
                      down,
                      "patch_embedding.lora_up.weight",
                      up),
                  1));
      assertChanged(
          changed,
          "patch_embedding.weight",
          expected(stored("patch_embedding.weight"), up, down, 1));
    }
  }

  @Test
  void plainDifferencesAreAdded() {
    try (Scope scope = Scope.open()) {
      Tensor ones = Tensor.full(1, DType.FLOAT32, WIDTH);
      TensorFiles changed =
          with(
              file(
                  Map.of(
                      "diffusion_model.blocks.0.norm3.diff",
                      ones,
                      "diffusion_model.blocks.0.self_attn.q.diff_b",
                      ones),
                  2));
      for (String name : new String[] {"blocks.0.norm2.weight", "blocks.0.attn1.to_q.bias"}) {
        assertThat(changed.tensor(name).toFloats()).isEqualTo(stored(name).add(2).toFloats());
      }
    }
  }

  private static final Path HUNYUAN = Golden.path("/goldens/hunyuan_pipeline/checkpoint");

  @ParameterizedTest
  @CsvSource({
    "text_encoder.layers.1.mlp.up_proj, layers.1.mlp.up_proj",
    "text_encoder.model.layers.1.mlp.up_proj, layers.1.mlp.up_proj",
    "lora_te_layers_1_mlp_up_proj, layers.1.mlp.up_proj",
    "lora_te1_model_layers_1_mlp_up_proj, layers.1.mlp.up_proj",
    "text_encoder_2.text_model.encoder.layers.2.mlp.fc1, text_model.encoder.layers.2.mlp.fc1",
    "base_model.model.text_encoder_2.encoder.layers.2.mlp.fc1, text_model.encoder.layers.2.mlp.fc1",
    "lora_te_text_model_encoder_layers_2_mlp_fc1, text_model.encoder.layers.2.mlp.fc1",
    "lora_te2_text_model_encoder_layers_2_mlp_fc1, text_model.encoder.layers.2.mlp.fc1",
    "transformer.transformer_blocks.0.attn.to_add_out, transformer_blocks.0.attn.to_add_out",
    "diffusion_model.double_blocks.0.txt_attn_proj, transformer_blocks.0.attn.to_add_out"
  })
  void everyEncodersKeysAreFoundByTheirPrefix(String module, String target) {
    String name = target + ".weight";
    String component =
        target.startsWith("layers")
            ? "text_encoder"
            : target.startsWith("text_model") ? "text_encoder_2" : "transformer";
    Checkpoint plain = Checkpoint.open(HUNYUAN);
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(4)) {
      Tensor weight = plain.files(component).tensor(name);
      Tensor down = generator.normal(RANK, weight.size(1));
      Tensor up = generator.normal(weight.size(0), RANK);
      LoraFile lora =
          file(Map.of(module + ".lora_down.weight", down, module + ".lora_up.weight", up), 0.25);
      Checkpoint with = plain.with(List.of(lora), TextToVideo.family(plain));
      assertChanged(with.files(component), name, expected(weight, up, down, 0.25));
      for (String other : new String[] {"text_encoder", "text_encoder_2", "transformer"}) {
        with.files(other)
            .entries()
            .keySet()
            .forEach(
                key -> {
                  if (!key.equals(name)) {
                    assertThat(with.files(other).tensor(key).toFloats())
                        .isEqualTo(plain.files(other).tensor(key).toFloats());
                  }
                });
      }
      boolean text = !component.equals("transformer");
      String[] encoders = {"text_encoder", "text_encoder_2"};
      assertThat(with.identity(encoders).equals(plain.identity(encoders))).isEqualTo(!text);
    }
  }

  /** A change of a projection that the makers store as one falls on all of its parts. */
  @Test
  void fusedProjectionsOfTheMakersChangeRowByRow() {
    Checkpoint plain = Checkpoint.open(HUNYUAN);
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(6)) {
      Tensor down = generator.normal(RANK, 32);
      Tensor up = generator.normal(7 * 32, RANK); // queries, keys, values and 4 of the feed-forward
      String module = "lora_unet_single_blocks_1_linear1";
      LoraFile lora =
          file(Map.of(module + ".lora_down.weight", down, module + ".lora_up.weight", up), 1);
      TensorFiles changed =
          plain.with(List.of(lora), TextToVideo.family(plain)).files("transformer");
      int row = 0;
      for (String part : new String[] {"attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"}) {
        String name = "single_transformer_blocks.1." + part + ".weight";
        Tensor weight = plain.files("transformer").tensor(name);
        int rows = (int) weight.size(0);
        assertChanged(
            changed, name, expected(weight, up.narrow(0, row, rows).contiguous(), down, 1));
        row += rows;
      }
      assertThat(row).isEqualTo(7 * 32);
    }
  }

  @Test
  void aChangedTextEncoderChangesTheVideoTheSameWithPassingBlocksAndKeptPromptsApart() {
    try (Scope scope = Scope.open();
        Generator generator = Generator.seeded(7)) {
      String module = "text_encoder.encoder.block.1.layer.0.SelfAttention.v";
      Tensor weight =
          Checkpoint.open(CHECKPOINT)
              .files("text_encoder")
              .tensor("encoder.block.1.layer.0.SelfAttention.v.weight");
      LoraFile lora =
          file(
              Map.of(
                  module + ".lora_A.weight",
                  generator.normal(RANK, weight.size(1)),
                  module + ".lora_B.weight",
                  generator.normal(weight.size(0), RANK)),
              1);
      ModelOptions cached =
          ModelOptions.defaults().withThreads(1).withPromptCache(temp.resolve("prompts"));
      String plain = video(cached).framesSha256();
      String changed = video(cached.withLoras(List.of(lora))).framesSha256();
      assertThat(changed).isNotEqualTo(plain);
      assertThat(video(cached.withLoras(List.of(lora))).framesSha256()).isEqualTo(changed);
      assertThat(
              video(
                      ModelOptions.defaults()
                          .withThreads(1)
                          .withLoras(List.of(lora))
                          .withOffload(Offload.BLOCKS))
                  .framesSha256())
          .isEqualTo(changed);
    }
  }

  @Test
  void severalAddUpAndAreRoundedOnce() {
    try (Scope scope = Scope.open()) {
      String key = "blocks.1.attn2.to_out.0.lora_";
      LoraFile lora = file(Map.of(key + "A.weight", down(), key + "B.weight", up()), 1e-3);
      TensorFiles changed = with(lora, lora, lora);
      assertThat(changed.tensor(WEIGHT).dtype()).isEqualTo(DType.FLOAT32);
      assertChanged(changed, WEIGHT, expected(stored(WEIGHT), up(), down(), 3e-3));
    }
  }

  private static VideoRequest request(TextToVideo model) {
    return model.request("a cat").withFrames(5).withSize(32, 32).withSteps(2).withGuidance(3);
  }

  private RunReport video(LoraFile... loras) {
    return video(ModelOptions.defaults().withThreads(1).withLoras(List.of(loras)));
  }

  private RunReport video(ModelOptions options) {
    try (TextToVideo model = TextToVideo.open(CHECKPOINT, options)) {
      return model
          .generate(request(model), RunOptions.to(temp.resolve("cat.mp4")), Progress.NONE)
          .report();
    }
  }

  @Test
  void aVideoChangesTheReportNamesTheFileAndReplayRepeatsIt() {
    try (Scope scope = Scope.open()) {
      String key = "blocks.1.attn2.to_out.0.lora_";
      LoraFile lora = file(Map.of(key + "A.weight", down(), key + "B.weight", up()), 0.5);
      String plain = video().framesSha256();
      assertThat(video(new LoraFile(lora.file(), 0)).framesSha256()).isEqualTo(plain);
      RunReport changed = video(lora);
      assertThat(changed.framesSha256()).isNotEqualTo(plain);
      assertThat(changed.settings().loras())
          .containsExactly(new RunReport.Lora(lora.file().toString(), 0.5));
      assertThat(changed.weights())
          .extracting(FileFingerprint::file)
          .anyMatch(name -> name.endsWith("lora.safetensors"));
      Replay replay = Replay.read(temp.resolve("cat.json"));
      assertThat(replay.options().loras()).containsExactly(lora);
      try (TextToVideo model = TextToVideo.open(replay.source(), replay.options())) {
        assertThat(replay.replay(model, temp.resolve("again.mp4"), Progress.NONE).sameVideo())
            .isTrue();
      }
    }
  }

  private void refused(BiFunction<Tensor, Tensor, Map<String, Tensor>> tensors, String... words) {
    try (Scope scope = Scope.open()) {
      LoraFile lora = file(tensors.apply(down(), up()), 1);
      assertThatThrownBy(() -> with(lora).entries())
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("" + lora.file())
          .satisfies(e -> assertThat(e.getMessage()).contains(words));
    }
  }

  @Test
  void whatDoesNotBelongIsNamed() {
    String known = "blocks.0.attn1.to_q.lora_";
    refused(
        (down, up) -> Map.of("lora_te_a.lora_down.weight", down, "lora_te_a.lora_up.weight", up),
        "none of its keys belongs to this model's text_encoder, transformer, as 'lora_te_a");
    refused(
        (down, up) -> {
          Map<String, Tensor> tensors = new LinkedHashMap<>();
          tensors.put(known + "A.weight", down);
          tensors.put(known + "B.weight", up);
          tensors.put("blocks.7.attn1.to_q.lora_A.weight", down);
          tensors.put("blocks.7.attn1.to_q.lora_B.weight", up);
          return tensors;
        },
        "'blocks.7.attn1.to_q.lora_A.weight' belong to nothing");
    refused(
        (down, up) -> {
          Map<String, Tensor> tensors = new LinkedHashMap<>();
          tensors.put(known + "A.weight", down);
          tensors.put(known + "B.weight", up);
          tensors.put("text_encoder_2.layers.0.fc1.lora_A.weight", down);
          tensors.put("text_encoder_2.layers.0.fc1.lora_B.weight", up);
          return tensors;
        },
        "'text_encoder_2.layers.0.fc1.lora_A.weight' belong to nothing in this model's");
    refused((down, up) -> Map.of(known + "A.weight", down), "lacks its other half");
    refused((down, up) -> Map.of("x.hada_w1_a", down), "'x.hada_w1_a' is no tensor of a LoRA");
    refused(
        (down, up) -> Map.of(known + "A.weight", down, known + "B.weight", up.narrow(0, 0, 40)),
        "changes 40 x 48 numbers, but 'blocks.0.attn1.to_q.weight' is [48, 48]");
    refused(
        (down, up) -> Map.of(known + "A.weight", down, known + "B.weight", up.narrow(1, 0, 1)),
        "is [48, 1]");
  }

  @Test
  void numbersThatAreNotFiniteAreRefusedWhenTheyAreMerged() {
    try (Scope scope = Scope.open()) {
      String key = "blocks.1.attn2.to_out.0.lora_";
      LoraFile lora = file(Map.of(key + "A.weight", down().div(0), key + "B.weight", up()), 1);
      assertThatThrownBy(() -> video(lora))
          .isInstanceOf(BadInputException.class)
          .hasMessageContaining("" + lora.file())
          .hasMessageContaining("not finite");
    }
  }

  @Test
  void aScaleMayFollowTheFile() {
    assertThat(LoraFile.parse("a/b.safetensors:0.8").scale()).isEqualTo(0.8);
    assertThat(LoraFile.parse("b.safetensors").scale()).isEqualTo(1);
    assertThat(LoraFile.parse("b.safetensors:-1e-1").scale()).isEqualTo(-0.1);
    assertThat(LoraFile.parse("od:d.safetensors").file()).hasFileName("od:d.safetensors");
    for (String wrong : new String[] {"", "x:1.2.3"}) {
      assertThatThrownBy(() -> LoraFile.parse(wrong)).isInstanceOf(UsageException.class);
    }
  }
}
