package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.weights.NameTable;
import dev.gossamer.tensor.weights.StoredAs.Rows;

/**
 * What the transformer's tensors are called in HunyuanVideo's own repository, and in files that
 * were made of those. There the projections to queries, keys and values are one, in blocks of one
 * stream together with the way into the feed-forward; and the last modulation has its shift first.
 */
final class HunyuanNames {
  private HunyuanNames() {}

  /**
   * @param width of the residual stream
   * @param inner width of the feed-forward
   */
  static NameTable transformer(long width, long inner) {
    NameTable table =
        new NameTable()
            .with("^x_embedder\\.", "img_in.")
            .with("^time_text_embed\\.timestep_embedder\\.linear_1\\.", "time_in.mlp.0.")
            .with("^time_text_embed\\.timestep_embedder\\.linear_2\\.", "time_in.mlp.2.")
            .with("^time_text_embed\\.guidance_embedder\\.linear_1\\.", "guidance_in.mlp.0.")
            .with("^time_text_embed\\.guidance_embedder\\.linear_2\\.", "guidance_in.mlp.2.")
            .with("^time_text_embed\\.text_embedder\\.linear_1\\.", "vector_in.in_layer.")
            .with("^time_text_embed\\.text_embedder\\.linear_2\\.", "vector_in.out_layer.")
            .with(
                "^norm_out\\.linear\\.",
                "final_layer.adaLN_modulation.1.",
                new Rows(width, width),
                new Rows(0, width))
            .with("^proj_out\\.", "final_layer.linear.")
            .with("^context_embedder\\.time_text_embed\\.", "txt_in.")
            .with("^txt_in\\.timestep_embedder\\.linear_1\\.", "txt_in.t_embedder.mlp.0.")
            .with("^txt_in\\.timestep_embedder\\.linear_2\\.", "txt_in.t_embedder.mlp.2.")
            .with("^txt_in\\.text_embedder\\.", "txt_in.c_embedder.")
            .with("^context_embedder\\.proj_in\\.", "txt_in.input_embedder.")
            .with(
                "^context_embedder\\.token_refiner\\.refiner_blocks\\.",
                "txt_in.individual_token_refiner.blocks.")
            .with("^(txt_in\\..*)\\.attn\\.to_out\\.0\\.", "$1.self_attn_proj.")
            .with("^(txt_in\\..*)\\.norm_out\\.linear\\.", "$1.adaLN_modulation.1.")
            .with("^(txt_in\\..*)\\.ff\\.net\\.0\\.proj\\.", "$1.mlp.fc1.")
            .with("^(txt_in\\..*)\\.ff\\.net\\.2\\.", "$1.mlp.fc2.")
            .with("^transformer_blocks\\.", "double_blocks.")
            .with("^(double_.*)\\.norm1\\.linear\\.", "$1.img_mod.linear.")
            .with("^(double_.*)\\.norm1_context\\.linear\\.", "$1.txt_mod.linear.")
            .with("^(double_.*)\\.attn\\.to_out\\.0\\.", "$1.img_attn_proj.")
            .with("^(double_.*)\\.attn\\.to_add_out\\.", "$1.txt_attn_proj.")
            .with("^(double_.*)\\.attn\\.norm_([qk])\\.", "$1.img_attn_$2_norm.")
            .with("^(double_.*)\\.attn\\.norm_added_([qk])\\.", "$1.txt_attn_$2_norm.")
            .with("^(double_.*)\\.ff\\.net\\.0\\.proj\\.", "$1.img_mlp.fc1.")
            .with("^(double_.*)\\.ff\\.net\\.2\\.", "$1.img_mlp.fc2.")
            .with("^(double_.*)\\.ff_context\\.net\\.0\\.proj\\.", "$1.txt_mlp.fc1.")
            .with("^(double_.*)\\.ff_context\\.net\\.2\\.", "$1.txt_mlp.fc2.")
            .with("^single_transformer_blocks\\.", "single_blocks.")
            .with("^(single_.*)\\.norm\\.linear\\.", "$1.modulation.linear.")
            .with("^(single_.*)\\.attn\\.norm_([qk])\\.", "$1.$2_norm.")
            .with("^(single_.*)\\.proj_mlp\\.", "$1.linear1.", new Rows(3 * width, inner))
            .with("^(single_.*)\\.proj_out\\.", "$1.linear2.");
    for (int i = 0; i < 3; i++) {
      char part = "qkv".charAt(i);
      Rows third = new Rows(i * width, width);
      String own = "\\.attn\\.to_" + part + "\\.";
      table =
          table
              .with("^(txt_in\\..*)" + own, "$1.self_attn_qkv.", third)
              .with("^(double_.*)" + own, "$1.img_attn_qkv.", third)
              .with("^(double_.*)\\.attn\\.add_" + part + "_proj\\.", "$1.txt_attn_qkv.", third)
              .with("^(single_.*)" + own, "$1.linear1.", third);
    }
    return table;
  }
}
