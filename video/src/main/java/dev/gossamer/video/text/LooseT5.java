package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.weights.ModelConfig;
import dev.gossamer.tensor.weights.NameTable;
import dev.gossamer.tensor.weights.Parameters;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * A T5 or UMT5 encoder in a file of its own: under transformers' names, as repackaged files have
 * them, or under those of Wan's own repository. Its sizes are those of its tensors.
 *
 * @param config what its {@code config.json} would say
 * @param files its tensors under transformers' names
 */
public record LooseT5(ModelConfig config, TensorFiles files) {
  private static final String QUERY = "encoder.block.0.layer.0.SelfAttention.q.weight";

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
    Optional<String> prefix = stored.prefixOf(QUERY);
    if (prefix.isPresent()) {
      return Optional.of(
          of(stored.under(prefix.get()).unscaled(), UnaryOperator.identity(), beside));
    }
    Optional<String> original = stored.prefixOf("blocks.0.ffn.gate.0.weight");
    return original.map(before -> of(stored.under(before).unscaled(), ORIGINAL::of, beside));
  }

  private static LooseT5 of(
      TensorFiles files, UnaryOperator<String> naming, Optional<ModelConfig> beside) {
    ModelConfig config =
        beside
            .filter(found -> found.className().matches("U?M?T5EncoderModel"))
            .orElseGet(() -> deduced(files, naming));
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached()) {
      Parameters outline = Parameters.outline(owner);
      new T5Encoder(T5Config.read(config), outline, Scope.detached()).close();
      boolean own = naming.apply(QUERY).equals(QUERY);
      return new LooseT5(
          config, own ? files : files.renamed(ORIGINAL.places(outline.asked().keySet())));
    }
  }

  private static ModelConfig deduced(TensorFiles files, UnaryOperator<String> naming) {
    String attention = "encoder.block.%d.layer.0.SelfAttention.";
    String bias = naming.apply(String.format(attention, 0) + "relative_attention_bias.weight");
    String embedded = "encoder.embed_tokens.weight";
    String table = naming.apply(files.has(embedded) ? embedded : "shared.weight");
    String inner = naming.apply("encoder.block.0.layer.1.DenseReluDense.wi_0.weight");
    int heads = Math.max(1, files.size(bias, 1));
    boolean perBlock =
        files.has(naming.apply(String.format(attention, 1) + "relative_attention_bias.weight"));
    ObjectNode config =
        new ObjectMapper()
            .createObjectNode()
            .put("_class_name", perBlock ? "UMT5EncoderModel" : "T5EncoderModel")
            .put("model_type", perBlock ? "umt5" : "t5")
            .put("vocab_size", files.size(table, 0))
            .put("d_model", files.size(table, 1))
            .put("num_heads", heads)
            .put("d_kv", files.size(naming.apply(QUERY), 0) / heads)
            .put("d_ff", files.size(inner, 0))
            .put("relative_attention_num_buckets", files.size(bias, 0))
            .put(
                "num_layers",
                files.count(i -> naming.apply(String.format(attention, i) + "q.weight")));
    return ModelConfig.of(files.origin(), config);
  }
}
