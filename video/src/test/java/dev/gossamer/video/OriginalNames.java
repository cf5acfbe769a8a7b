package dev.gossamer.video;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import dev.gossamer.tensor.weights.TensorFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Checkpoints as their makers store them, written down module by module from the makers' side: for
 * each of their tensors, which of diffusers' stand one below the other in it.
 */
public final class OriginalNames {
  private final Set<String> own;
  private final Map<String, List<Rows>> stored = new TreeMap<>();

  /** All rows of a tensor, or one half of them. */
  private record Rows(String name, int half) {
    static final int ALL = -1;

    long count(long rows) {
      return half == ALL ? rows : rows / 2;
    }
  }

  private OriginalNames(Set<String> own) {
    this.own = own;
  }

  /** HunyuanVideo's transformer, from diffusers' names. */
  public static OriginalNames hunyuan(Set<String> own) {
    OriginalNames names = new OriginalNames(own);
    names.same("img_in.proj", "x_embedder.proj");
    String embed = "time_text_embed.";
    names.pair("time_in.mlp.0", "time_in.mlp.2", embed + "timestep_embedder");
    names.pair("guidance_in.mlp.0", "guidance_in.mlp.2", embed + "guidance_embedder");
    names.pair("vector_in.in_layer", "vector_in.out_layer", embed + "text_embedder");
    names.refiner();
    for (int i = 0; names.has("transformer_blocks." + i + ".norm1.linear.weight"); i++) {
      String to = "double_blocks." + i;
      String from = "transformer_blocks." + i;
      names.stream(to + ".img", from, "norm1", "ff", "to_q", "to_k", "to_v", "norm_", "to_out.0");
      names.stream(
          to + ".txt",
          from,
          "norm1_context",
          "ff_context",
          "add_q_proj",
          "add_k_proj",
          "add_v_proj",
          "norm_added_",
          "to_add_out");
    }
    for (int i = 0; names.has("single_transformer_blocks." + i + ".norm.linear.weight"); i++) {
      String to = "single_blocks." + i;
      String from = "single_transformer_blocks." + i;
      names.same(
          to + ".linear1",
          from + ".attn.to_q",
          from + ".attn.to_k",
          from + ".attn.to_v",
          from + ".proj_mlp");
      names.same(to + ".linear2", from + ".proj_out");
      names.same(to + ".q_norm", from + ".attn.norm_q");
      names.same(to + ".k_norm", from + ".attn.norm_k");
      names.same(to + ".modulation.linear", from + ".norm.linear");
    }
    names.halves("final_layer.adaLN_modulation.1", "norm_out.linear/1", "norm_out.linear/0");
    names.same("final_layer.linear", "proj_out");
    return names.checked();
  }

  private void refiner() {
    String embed = "context_embedder.time_text_embed.";
    pair("txt_in.t_embedder.mlp.0", "txt_in.t_embedder.mlp.2", embed + "timestep_embedder");
    pair("txt_in.c_embedder.linear_1", "txt_in.c_embedder.linear_2", embed + "text_embedder");
    same("txt_in.input_embedder", "context_embedder.proj_in");
    String blocks = "context_embedder.token_refiner.refiner_blocks.";
    for (int i = 0; has(blocks + i + ".norm1.weight"); i++) {
      String to = "txt_in.individual_token_refiner.blocks." + i;
      String attention = blocks + i + ".attn.";
      same(to + ".norm1", blocks + i + ".norm1");
      same(to + ".norm2", blocks + i + ".norm2");
      same(to + ".self_attn_qkv", attention + "to_q", attention + "to_k", attention + "to_v");
      same(to + ".self_attn_proj", attention + "to_out.0");
      same(to + ".mlp.fc1", blocks + i + ".ff.net.0.proj");
      same(to + ".mlp.fc2", blocks + i + ".ff.net.2");
      same(to + ".adaLN_modulation.1", blocks + i + ".norm_out.linear");
    }
  }

  private void stream(
      String to,
      String from,
      String modulation,
      String feedForward,
      String query,
      String key,
      String value,
      String norm,
      String output) {
    String attention = from + ".attn.";
    same(to + "_mod.linear", from + "." + modulation + ".linear");
    same(to + "_attn_qkv", attention + query, attention + key, attention + value);
    same(to + "_attn_q_norm", attention + norm + "q");
    same(to + "_attn_k_norm", attention + norm + "k");
    same(to + "_attn_proj", attention + output);
    same(to + "_mlp.fc1", from + "." + feedForward + ".net.0.proj");
    same(to + "_mlp.fc2", from + "." + feedForward + ".net.2");
  }

  /** CogVideoX' transformer, from diffusers' names. */
  public static OriginalNames cogvideox(Set<String> own) {
    OriginalNames names = new OriginalNames(own);
    names.same("mixins.patch_embed.proj", "patch_embed.proj");
    names.same("mixins.patch_embed.text_proj", "patch_embed.text_proj");
    names.pair("time_embed.0", "time_embed.2", "time_embedding");
    for (int i = 0; names.has("transformer_blocks." + i + ".norm1.linear.weight"); i++) {
      String to = "transformer.layers." + i;
      String from = "transformer_blocks." + i;
      String attention = from + ".attn1.";
      names.same(to + ".input_layernorm", from + ".norm1.norm");
      names.same(to + ".post_attention_layernorm", from + ".norm2.norm");
      names.same(
          to + ".attention.query_key_value",
          attention + "to_q",
          attention + "to_k",
          attention + "to_v");
      names.same(to + ".attention.dense", attention + "to_out.0");
      names.same(to + ".mlp.dense_h_to_4h", from + ".ff.net.0.proj");
      names.same(to + ".mlp.dense_4h_to_h", from + ".ff.net.2");
      String layer = "mixins.adaln_layer.";
      names.same(layer + "query_layernorm_list." + i, attention + "norm_q");
      names.same(layer + "key_layernorm_list." + i, attention + "norm_k");
      names.halves(
          layer + "adaLN_modulations." + i + ".1",
          from + ".norm1.linear/0",
          from + ".norm2.linear/0",
          from + ".norm1.linear/1",
          from + ".norm2.linear/1");
    }
    names.same("transformer.final_layernorm", "norm_final");
    names.same("mixins.final_layer.norm_final", "norm_out.norm");
    names.same("mixins.final_layer.adaLN_modulation.1", "norm_out.linear");
    names.same("mixins.final_layer.linear", "proj_out");
    return names.checked();
  }

  /** An autoencoder of four levels as latent diffusion's, from diffusers' names. */
  public static OriginalNames autoencoder(Set<String> own) {
    OriginalNames names = new OriginalNames(own);
    for (String name : own) {
      String[] parts = name.split("\\.");
      List<String> to = new ArrayList<>(List.of(parts[0]));
      int rest = 1;
      if (parts[1].equals("conv_norm_out")) {
        to.add("norm_out");
        rest = 2;
      } else if (parts[1].equals("mid_block") && parts[2].equals("attentions")) {
        String module = name.replaceAll(".*attentions\\.0\\.|\\.(weight|bias)$", "");
        to.add("mid");
        to.add("attn_1");
        to.add(
            Map.of("group_norm", "norm", "to_q", "q", "to_k", "k", "to_v", "v")
                .getOrDefault(module, "proj_out"));
        rest = parts.length - 1;
      } else if (parts[1].equals("mid_block")) {
        to.addAll(List.of("mid", "block_" + (1 + Integer.parseInt(parts[3]))));
        rest = 4;
      } else if (parts[1].endsWith("_blocks")) {
        int level = Integer.parseInt(parts[2]);
        boolean up = parts[1].equals("up_blocks");
        to.addAll(List.of(up ? "up" : "down", "" + (up ? 3 - level : level)));
        to.addAll(
            parts[3].equals("resnets")
                ? List.of("block", parts[4])
                : List.of(up ? "upsample" : "downsample"));
        rest = 5;
      }
      Arrays.stream(parts, rest, parts.length)
          .map(part -> part.equals("conv_shortcut") ? "nin_shortcut" : part)
          .forEach(to::add);
      names.stored.put(String.join(".", to), List.of(new Rows(name, Rows.ALL)));
    }
    return names.checked();
  }

  private boolean has(String name) {
    return own.contains(name);
  }

  private void pair(String first, String second, String embedder) {
    same(first, embedder + ".linear_1");
    same(second, embedder + ".linear_2");
  }

  /** A module with the weights and biases of others, one below the other. */
  private void same(String to, String... from) {
    for (String kind : new String[] {".weight", ".bias"}) {
      if (has(from[0] + kind)) {
        stored.put(
            to + kind, Arrays.stream(from).map(name -> new Rows(name + kind, Rows.ALL)).toList());
      }
    }
  }

  /** Of halves of others: {@code module/0} is the first. */
  private void halves(String to, String... from) {
    for (String kind : new String[] {".weight", ".bias"}) {
      stored.put(
          to + kind,
          Arrays.stream(from)
              .map(half -> half.split("/"))
              .map(half -> new Rows(half[0] + kind, Integer.parseInt(half[1])))
              .toList());
    }
  }

  private OriginalNames checked() {
    Set<String> used = new TreeSet<>();
    stored.values().forEach(rows -> rows.forEach(part -> used.add(part.name())));
    if (!used.equals(new TreeSet<>(own))) {
      Set<String> left = new TreeSet<>(own);
      left.removeAll(used);
      throw new IllegalStateException("Not written down: " + left);
    }
    return this;
  }

  /** Shapes by the makers' names. */
  public Map<String, List<Long>> shapes(Map<String, List<Long>> shapes) {
    Map<String, List<Long>> all = new TreeMap<>();
    stored.forEach(
        (name, rows) -> {
          List<Long> shape = new ArrayList<>(shapes.get(rows.get(0).name()));
          shape.set(0, rows.stream().mapToLong(r -> r.count(shapes.get(r.name()).get(0))).sum());
          all.put(name, shape);
        });
    return all;
  }

  /** Writes the tensors under the makers' names. */
  Path write(TensorFiles files, Path file, String prefix) {
    Map<String, Tensor> all = new LinkedHashMap<>();
    try (Scope scope = Scope.open()) {
      stored.forEach(
          (name, rows) ->
              all.put(
                  prefix + name,
                  Tensor.cat(
                      0, rows.stream().map(part -> of(files, part)).toArray(Tensor[]::new))));
      SafetensorsWriter.write(file, all, Map.of());
    }
    return file;
  }

  private static Tensor of(TensorFiles files, Rows part) {
    Tensor whole = files.tensor(part.name());
    long count = part.count(whole.size(0));
    return part.half() == Rows.ALL ? whole : whole.narrow(0, part.half() * count, count);
  }
}
