package dev.gossamer.lm.huggingface;

import dev.gossamer.tensor.weights.NameTable;

/** What tensors are called on disk since LLaMA, by our names; experts as Qwen named them first. */
final class LlamaNames {
  static final NameTable NAMES =
      new NameTable()
          .with("^embedding$", "model.embed_tokens.weight")
          .with("^final_norm$", "model.norm.weight")
          .with("^head$", "lm_head.weight")
          .with("^layers\\.", "model.layers.")
          .with("\\.attention_norm$", ".input_layernorm.weight")
          .with("\\.feed_forward_norm$", ".post_attention_layernorm.weight")
          .with("\\.attention\\.([qkvo])$", ".self_attn.$1_proj.weight")
          .with("\\.attention\\.([qkv])_bias$", ".self_attn.$1_proj.bias")
          .with("\\.attention\\.([qk])_norm$", ".self_attn.$1_norm.weight")
          .with("\\.w1$", ".gate_proj.weight")
          .with("\\.w3$", ".up_proj.weight")
          .with("\\.w2$", ".down_proj.weight")
          .with("\\.dense\\.", ".mlp.")
          .with("\\.moe\\.gate$", ".mlp.gate.weight")
          .with("\\.moe\\.experts\\.", ".mlp.experts.");

  private LlamaNames() {}
}
