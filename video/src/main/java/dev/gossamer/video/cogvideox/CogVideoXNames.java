package dev.gossamer.video.cogvideox;

import dev.gossamer.tensor.weights.NameTable;
import dev.gossamer.tensor.weights.StoredAs.Rows;

/**
 * What the transformer's tensors are called in CogVideoX' own repository, which is written in SAT.
 * There the projections to queries, keys and values are one, and so are both modulations of a
 * block, those of the video before those of the text.
 */
final class CogVideoXNames {
  private CogVideoXNames() {}

  /**
   * @param width of the residual stream
   */
  static NameTable transformer(long width) {
    long three = 3 * width; // shift, scale and gate
    NameTable table =
        new NameTable()
            .with("^norm_final\\.", "transformer.final_layernorm.")
            .with("^norm_out\\.norm\\.", "mixins.final_layer.norm_final.")
            .with("^norm_out\\.linear\\.", "mixins.final_layer.adaLN_modulation.1.")
            .with("^proj_out\\.", "mixins.final_layer.linear.")
            .with("^patch_embed\\.", "mixins.patch_embed.")
            .with("^time_embedding\\.linear_1\\.", "time_embed.0.")
            .with("^time_embedding\\.linear_2\\.", "time_embed.2.")
            .with(
                "^transformer_blocks\\.(\\d+)\\.norm1\\.linear\\.",
                "mixins.adaln_layer.adaLN_modulations.$1.1.",
                new Rows(0, three),
                new Rows(2 * three, three))
            .with(
                "^transformer_blocks\\.(\\d+)\\.norm2\\.linear\\.",
                "mixins.adaln_layer.adaLN_modulations.$1.1.",
                new Rows(three, three),
                new Rows(3 * three, three))
            .with(
                "^transformer_blocks\\.(\\d+)\\.attn1\\.norm_q\\.",
                "mixins.adaln_layer.query_layernorm_list.$1.")
            .with(
                "^transformer_blocks\\.(\\d+)\\.attn1\\.norm_k\\.",
                "mixins.adaln_layer.key_layernorm_list.$1.")
            .with("^transformer_blocks\\.", "transformer.layers.")
            .with("\\.attn1\\.to_out\\.0\\.", ".attention.dense.")
            .with("\\.norm1\\.norm\\.", ".input_layernorm.")
            .with("\\.norm2\\.norm\\.", ".post_attention_layernorm.")
            .with("\\.ff\\.net\\.0\\.proj\\.", ".mlp.dense_h_to_4h.")
            .with("\\.ff\\.net\\.2\\.", ".mlp.dense_4h_to_h.");
    for (int i = 0; i < 3; i++) {
      table =
          table.with(
              "\\.attn1\\.to_" + "qkv".charAt(i) + "\\.",
              ".attention.query_key_value.",
              new Rows(i * width, width));
    }
    return table;
  }
}
