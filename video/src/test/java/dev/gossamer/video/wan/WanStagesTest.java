package dev.gossamer.video.wan;

import static dev.gossamer.tensor.Golden.maxDifference;
import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.AttentionHeads;
import dev.gossamer.tensor.nn.HeadProjections;
import dev.gossamer.tensor.nn.LayerNorm;
import dev.gossamer.tensor.nn.RowRuns;
import dev.gossamer.tensor.nn.TimestepEmbedding;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The parts of the transformer against the intermediates of golden wan_transformer. */
class WanStagesTest {
  private static final double TOLERANCE = 2e-5;
  private static final double ROTATION = 2e-6;
  private static final int SAMPLE = 1;
  private static final TokenGrid GRID = TokenGrid.video(3, 4, 6);

  private final Golden golden = Golden.open("/goldens/wan_transformer/io.safetensors");
  private final Path folder = Golden.path("/goldens/wan_pipeline/checkpoint/transformer");
  private final WanTransformerConfig config =
      WanTransformerConfig.of(ModelConfig.read(folder.resolve("config.json")));
  private Scope scope;
  private Parameters parameters;
  private WanConditioning conditioning;

  @BeforeEach
  void open() {
    scope = Scope.open();
    parameters =
        Parameters.load(
            TensorFiles.in(folder), DType.FLOAT32, Device.CPU, scope, WanTransformer::keepsFloat32);
    conditioning = WanConditioning.of(parameters, config);
  }

  @AfterEach
  void close() {
    scope.close();
  }

  private Tensor expected(String name) {
    return golden.tensor("out." + name).narrow(0, SAMPLE, 1);
  }

  private double timestep() {
    return golden.tensor("timestep").toLongs()[SAMPLE];
  }

  private Tensor modulation() {
    return conditioning.modulate(conditioning.embed(timestep()));
  }

  private Tensor rotation() {
    return config.rotaryEmbedding().table(Device.CPU, GRID.frames(), GRID.height(), GRID.width());
  }

  /** The residual stream in front of the blocks. */
  private Tensor stream() {
    return expected("patch_embedding").flatten(2, 4).transpose(1, 2).contiguous();
  }

  @Test
  void embedsPatches() {
    try (WanTransformer model =
        WanTransformer.load(TensorFiles.in(folder), DType.FLOAT32, Device.CPU)) {
      Tensor latents = golden.tensor("hidden_states").narrow(0, SAMPLE, 1);
      assertThat(maxDifference(model.embed(latents, GRID), stream())).isLessThan(TOLERANCE);
    }
  }

  @Test
  void embedsTimestepAndText() {
    TimestepEmbedding time = conditioning.time();
    assertThat(maxDifference(time.apply(timestep()), expected("time_embedder")))
        .isLessThan(TOLERANCE);
    assertThat(maxDifference(conditioning.embed(timestep()), expected("condition_embedder.0")))
        .isLessThan(TOLERANCE);
    assertThat(maxDifference(modulation().flatten(1, 2), expected("condition_embedder.1")))
        .isLessThan(TOLERANCE);
    Tensor prompt = golden.tensor("encoder_hidden_states").narrow(0, SAMPLE, 1);
    assertThat(maxDifference(conditioning.text().apply(prompt), expected("condition_embedder.2")))
        .isLessThan(TOLERANCE);
  }

  @Test
  void turnsTokensByTheirPlace() {
    Tensor table = rotation();
    Tensor cos = golden.tensor("out.rope.0").reshape(72, config.headDim());
    Tensor sin = golden.tensor("out.rope.1").reshape(72, config.headDim());
    assertThat(maxDifference(table.every(1, 0, 2), cos.every(1, 0, 2))).isLessThan(ROTATION);
    assertThat(maxDifference(table.every(1, 1, 2), sin.every(1, 1, 2))).isLessThan(ROTATION);
  }

  @Test
  void normalisesAndAttendsInsideABlock() {
    WanBlock block = new WanBlock(parameters, "blocks.0", config);
    Tensor x = stream();
    int width = config.width();
    LayerNorm plain =
        new LayerNorm(
            Tensor.full(1, DType.FLOAT32, width), Tensor.zeros(DType.FLOAT32, width), config.eps());
    assertThat(maxDifference(plain.apply(x), expected("blocks.0.norm1"))).isLessThan(TOLERANCE);

    Tensor vectors = block.table().add(modulation());
    Tensor rows = block.modulated(vectors, 0).apply(x);
    WanSelfAttention layer = block.selfAttention();
    HeadProjections projections = layer.projections();
    Tensor query = projections.queryNorm().apply(projections.toQuery().apply(rows));
    assertThat(maxDifference(query, expected("blocks.0.attn1.norm_q"))).isLessThan(TOLERANCE);

    AttentionHeads heads = projections.room(x);
    projections.project(rows, Optional.of(rotation()), heads, 0);
    Tensor attended = DenseAttention.attend(heads.query(), heads.key(), heads.value());
    Tensor output = layer.output(attended, 0, GRID.tokens());
    assertThat(maxDifference(output, expected("blocks.0.attn1"))).isLessThan(TOLERANCE);

    x.addMulInPlace(output, vectors.select(1, 2));
    Tensor text = expected("condition_embedder.2");
    Tensor cross =
        block
            .crossAttention()
            .prepare(text, Tensor.zeros(DType.FLOAT32, text.size(1)))
            .apply(block.crossAttention(), block.textNorm().apply(x));
    assertThat(maxDifference(cross, expected("blocks.0.attn2"))).isLessThan(TOLERANCE);

    x.addInPlace(cross);
    Tensor fed = block.feedForward().apply(block.modulated(vectors, 3).apply(x));
    assertThat(maxDifference(fed, expected("blocks.0.ffn"))).isLessThan(TOLERANCE);
  }

  @Test
  void runsBlocksInRunsOfAnyLength() {
    WanBlock first = new WanBlock(parameters, "blocks.0", config);
    WanBlock second = new WanBlock(parameters, "blocks.1", config);
    Tensor text = expected("condition_embedder.2");
    Tensor none = Tensor.zeros(DType.FLOAT32, text.size(1));
    for (long rows : new long[] {1, 7, 72, 1000}) {
      Tensor x = stream();
      apply(first, x, first.crossAttention().prepare(text, none), rows);
      assertThat(maxDifference(x, expected("blocks.0"))).as(rows + " rows").isLessThan(TOLERANCE);
      apply(second, x, second.crossAttention().prepare(text, none), rows);
      assertThat(maxDifference(x, expected("blocks.1"))).as(rows + " rows").isLessThan(TOLERANCE);
    }
  }

  private void apply(WanBlock block, Tensor x, TextAttention text, long rows) {
    block.apply(
        x,
        modulation(),
        rotation(),
        text,
        (query, key, value, step) -> DenseAttention.attend(query, key, value),
        0,
        new RowRuns(rows));
  }

  @Test
  void projectsTokensBackToPatches() {
    try (WanTransformer model =
        WanTransformer.load(TensorFiles.in(folder), DType.FLOAT32, Device.CPU)) {
      Tensor projected = model.project(expected("blocks.1"), expected("condition_embedder.0"));
      assertThat(maxDifference(projected, expected("proj_out"))).isLessThan(TOLERANCE);
    }
  }
}
