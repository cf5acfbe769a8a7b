package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.weights.LooseWeights;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.Optional;

/**
 * A T5 or UMT5 encoder in a file of its own: under transformers' names, as repackaged files have
 * them, or under those of Wan's own repository. Its sizes are those of its tensors.
 *
 * @param config what its {@code config.json} would say
 * @param files its tensors under transformers' names
 */
public record LooseT5(ModelConfig config, TensorFiles files) {
  private static final String QUERY = "encoder.block.0.layer.0.SelfAttention.q.weight";
  private static final String GATE = "encoder.block.0.layer.1.DenseReluDense.wi_0.weight";

  /** Names in Wan's repository. */
  static final NameTable ORIGINAL =
      new NameTable()
          .with("^shared\\.", "token_embedding.")
          .with("^encoder\\.final_layer_norm\\.", "norm.")
          .with("^encoder\\.block\\.(\\d+)\\.", "blocks.$1.")
          .with(
              "\\.layer\\.0\\.SelfAttention\\.relative_attention_bias\\.",
              ".pos_embedding.embedding.")
          .with("\\.layer\\.0\\.SelfAttention\\.", ".attn.")
          .with("\\.layer\\.0\\.layer_norm\\.", ".norm1.")
          .with("\\.layer\\.1\\.layer_norm\\.", ".norm2.")
          .with("\\.layer\\.1\\.DenseReluDense\\.wi_0\\.", ".ffn.gate.0.")
          .with("\\.layer\\.1\\.DenseReluDense\\.wi_1\\.", ".ffn.fc1.")
          .with("\\.layer\\.1\\.DenseReluDense\\.wo\\.", ".ffn.fc2.");

  /**
   * @param stored as the file names its tensors, with any prefix
   * @param beside the {@code config.json} in the same folder, if there is one
   * @return empty if it is no such encoder
   * @throws dev.gossamer.tensor.failure.BadInputException if it is one, but incomplete
   */
  public static Optional<LooseT5> in(TensorFiles stored, Optional<ModelConfig> beside) {
    return LooseWeights.find(stored, QUERY)
        .or(() -> LooseWeights.find(stored, GATE, ORIGINAL))
        .map(weights -> of(weights, beside));
  }

  private static LooseT5 of(LooseWeights weights, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().matches("U?M?T5EncoderModel"))
            .orElseGet(() -> deduced(weights));
    T5Config shape = T5Config.read(config);
    return new LooseT5(
        config,
        weights.renamed(
            ORIGINAL, parameters -> new T5Encoder(shape, parameters, Scope.detached()).close()));
  }

  private static ModelConfig deduced(LooseWeights weights) {
    String attention = "encoder.block.%d.layer.0.SelfAttention.";
    String bias = attention + "relative_attention_bias.weight";
    String embedded = "encoder.embed_tokens.weight";
    String table = weights.has(embedded) ? embedded : "shared.weight";
    int heads = Math.max(1, weights.size(String.format(bias, 0), 1));
    boolean perBlock = weights.has(String.format(bias, 1));
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", perBlock ? "UMT5EncoderModel" : "T5EncoderModel")
            .put("model_type", perBlock ? "umt5" : "t5")
            .put("vocab_size", weights.size(table, 0))
            .put("d_model", weights.size(table, 1))
            .put("num_heads", heads)
            .put("d_kv", weights.size(QUERY, 0) / heads)
            .put("d_ff", weights.size(GATE, 0))
            .put("relative_attention_num_buckets", weights.size(String.format(bias, 0), 0))
            .put("num_layers", weights.count(i -> String.format(attention, i) + "q.weight"));
    return ModelConfig.of(weights.files().origin(), config);
  }
}
