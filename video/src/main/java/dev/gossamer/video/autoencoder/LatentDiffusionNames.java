package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.weights.NameTable;

/**
 * What the parts of an autoencoder are called in code that descends from latent diffusion's, as
 * CogVideoX' own: the decoder counts its levels from the picture there.
 */
public final class LatentDiffusionNames {
  private LatentDiffusionNames() {}

  /**
   * @param levels of resolution
   */
  public static NameTable of(int levels) {
    NameTable table =
        new NameTable()
            .with("\\.mid_block\\.resnets\\.0\\.", ".mid.block_1.")
            .with("\\.mid_block\\.resnets\\.1\\.", ".mid.block_2.")
            .with("\\.mid_block\\.attentions\\.0\\.", ".mid.attn_1.")
            .with("\\.attn_1\\.group_norm\\.", ".attn_1.norm.")
            .with("\\.attn_1\\.to_([qkv])\\.", ".attn_1.$1.")
            .with("\\.attn_1\\.to_out\\.0\\.", ".attn_1.proj_out.")
            .with("\\.conv_norm_out\\.", ".norm_out.")
            .with("\\.down_blocks\\.", ".down.")
            .with("\\.resnets\\.", ".block.")
            .with("\\.downsamplers\\.0\\.", ".downsample.")
            .with("\\.upsamplers\\.0\\.", ".upsample.")
            .with("\\.conv_shortcut\\.", ".nin_shortcut.");
    for (int i = 0; i < levels; i++) {
      table = table.with("\\.up_blocks\\." + i + "\\.", ".up." + (levels - 1 - i) + ".");
    }
    return table;
  }
}
