package dev.gossamer.video.wan;

import dev.gossamer.tensor.weights.NameTable;

/** What the parts of Wan are called in its own repository, and in files that were made of those. */
final class WanNames {
  private WanNames() {}

  /** Of the transformer. */
  static final NameTable TRANSFORMER =
      new NameTable()
          .with("^condition_embedder\\.time_embedder\\.linear_1\\.", "time_embedding.0.")
          .with("^condition_embedder\\.time_embedder\\.linear_2\\.", "time_embedding.2.")
          .with("^condition_embedder\\.time_proj\\.", "time_projection.1.")
          .with("^condition_embedder\\.text_embedder\\.linear_1\\.", "text_embedding.0.")
          .with("^condition_embedder\\.text_embedder\\.linear_2\\.", "text_embedding.2.")
          .with("^condition_embedder\\.image_embedder\\.pos_embed$", "img_emb.emb_pos")
          .with("^condition_embedder\\.image_embedder\\.norm1\\.", "img_emb.proj.0.")
          .with("^condition_embedder\\.image_embedder\\.ff\\.net\\.0\\.proj\\.", "img_emb.proj.1.")
          .with("^condition_embedder\\.image_embedder\\.ff\\.net\\.2\\.", "img_emb.proj.3.")
          .with("^condition_embedder\\.image_embedder\\.norm2\\.", "img_emb.proj.4.")
          .with("^scale_shift_table$", "head.modulation")
          .with("^proj_out\\.", "head.head.")
          .with("\\.scale_shift_table$", ".modulation")
          .with("\\.attn1\\.", ".self_attn.")
          .with("\\.attn2\\.", ".cross_attn.")
          .with("attn\\.to_([qkv])\\.", "attn.$1.")
          .with("attn\\.to_out\\.0\\.", "attn.o.")
          .with("attn\\.add_([kv])_proj\\.", "attn.$1_img.")
          .with("attn\\.norm_added_k\\.", "attn.norm_k_img.")
          .with("\\.norm2\\.", ".norm3.") // the order of use there is norm1, norm3, norm2
          .with("\\.ffn\\.net\\.0\\.proj\\.", ".ffn.0.")
          .with("\\.ffn\\.net\\.2\\.", ".ffn.2.");

  private static final NameTable AUTOENCODER =
      new NameTable()
          .with("^quant_conv\\.", "conv1.")
          .with("^post_quant_conv\\.", "conv2.")
          .with("\\.conv_in\\.", ".conv1.")
          .with("\\.norm_out\\.", ".head.0.")
          .with("\\.conv_out\\.", ".head.2.")
          .with("\\.mid_block\\.resnets\\.0\\.", ".middle.0.")
          .with("\\.mid_block\\.attentions\\.0\\.", ".middle.1.")
          .with("\\.mid_block\\.resnets\\.1\\.", ".middle.2.")
          .with("\\.down_blocks\\.", ".downsamples.")
          .with("(\\.(?:middle|downsamples|upsamples)\\.\\d+)\\.norm1\\.", "$1.residual.0.")
          .with("(\\.(?:middle|downsamples|upsamples)\\.\\d+)\\.conv1\\.", "$1.residual.2.")
          .with("(\\.(?:middle|downsamples|upsamples)\\.\\d+)\\.norm2\\.", "$1.residual.3.")
          .with("(\\.(?:middle|downsamples|upsamples)\\.\\d+)\\.conv2\\.", "$1.residual.6.")
          .with("\\.conv_shortcut\\.", ".shortcut.");

  /**
   * Of the autoencoder, whose decoder is one row of blocks there.
   *
   * @param levels of resolution
   * @param blocks {@code num_res_blocks}: the decoder has one more at each level
   */
  static NameTable autoencoder(int levels, int blocks) {
    NameTable table = new NameTable();
    int first = 0;
    for (int level = 0; level < levels; level++) {
      String name = "^decoder\\.up_blocks\\." + level;
      for (int block = 0; block <= blocks; block++) {
        table =
            table.with(
                name + "\\.resnets\\." + block + "\\.",
                "decoder.upsamples." + (first + block) + ".");
      }
      table =
          table.with(
              name + "\\.upsamplers\\.0\\.", "decoder.upsamples." + (first + blocks + 1) + ".");
      first += blocks + 2;
    }
    return table.then(AUTOENCODER);
  }
}
