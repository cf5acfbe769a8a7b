package dev.gossamer.lm.huggingface;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.AttentionSettings;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.NormKind;
import dev.gossamer.lm.Positions;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeLayer;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.Parameter;
import dev.gossamer.moe.router.RouterSettings.Scores;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.files.PartFolder;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Writes a BigMac model as transformers' latent mixture of experts, NemotronH: each of our layers
 * is a block of attention and one of experts there, with the same sums. What that model cannot be
 * is refused with the whole list of reasons; a model without a shared expert gets one of zeros.
 */
public final class NemotronExport {
  private static final int ZERO_SHARED = 8;

  private NemotronExport() {}

  /** Why a model cannot be written so; empty if it can. */
  public static List<String> obstacles(ModelSettings model) {
    List<String> found = new ArrayList<>();
    note(found, model.norm() == NormKind.RMS, "norm is not rms");
    note(
        found,
        model.attention().positions() == Positions.NONE,
        "attention has positions (positions must be none)");
    if (model.attention() instanceof AttentionSettings.Grouped grouped) {
      note(found, !grouped.bias(), "attention has biases");
      note(found, !grouped.headNorm(), "queries and keys are normalised");
    } else {
      found.add("attention is latent");
    }
    MoeSettings moe = model.experts().orElse(null);
    if (moe == null || !(moe.structure() instanceof MoeStructure.BigMac)) {
      found.add("the structure is not bigmac");
      return found;
    }
    note(found, model.expertLayers() == model.layers(), "some layers have no experts");
    note(found, moe.structure().body() == ExpertBody.PLAIN, "experts are gated");
    note(found, !moe.expertBias() && !moe.projectionBias(), "experts or projections have biases");
    note(found, !moe.latentNorm(), "the narrow sum is normalised");
    note(found, !moe.gateReadsLatent(), "the gate reads the narrow tokens");
    note(found, moe.router().scores() == Scores.SIGMOID, "the router's scores are not sigmoid");
    note(found, moe.router().groups().count() == 1, "the router has groups");
    note(found, !moe.shared().gated(), "the shared expert has a gate");
    note(found, Double.isInfinite(moe.router().capacity()), "the router has a capacity");
    return found;
  }

  private static void note(List<String> found, boolean holds, String reason) {
    if (!holds) {
      found.add(reason);
    }
  }

  /**
   * @param folder absent or empty
   * @param dtype in which the weights are stored
   * @throws UsageException that lists what that model cannot be
   */
  public static void write(LanguageModel model, TextTokenizer tokenizer, Path folder, DType dtype) {
    List<String> obstacles = obstacles(model.settings());
    if (!obstacles.isEmpty()) {
      throw new UsageException(
          "No nemotron_h can be this model: " + String.join("; ", obstacles),
          "Train with the preset small, or export as gossamer");
    }
    try (PartFolder part = PartFolder.of(folder);
        Scope scope = Scope.open()) {
      SafetensorsWriter.write(
          part.path().resolve("model.safetensors"), tensors(model, dtype), Map.of("format", "pt"));
      text(part.path().resolve("config.json"), config(model.settings(), tokenizer, dtype));
      ObjectNode generation = new ObjectMapper().createObjectNode();
      ObjectNode words = new ObjectMapper().createObjectNode();
      words.put("tokenizer_class", "PreTrainedTokenizerFast");
      words.put("model_max_length", model.settings().context());
      tokenizer
          .end()
          .ifPresent(
              id -> {
                generation.put("eos_token_id", id);
                words.put("eos_token", tokenizer.written(id));
              });
      text(part.path().resolve("generation_config.json"), generation);
      text(part.path().resolve("tokenizer_config.json"), words);
      PartFile.write(part.path().resolve("tokenizer.json"), tokenizer.json());
      part.commit();
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot write " + folder + ": " + PartFile.reason(e), "Name another folder", e);
    }
  }

  private static void text(Path file, ObjectNode document) {
    PartFile.write(file, document.toPrettyString().getBytes(StandardCharsets.UTF_8));
  }

  private static Map<String, Tensor> tensors(LanguageModel model, DType dtype) {
    ModelFamily family = new NemotronH();
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (Parameter parameter : model.parameters()) {
      Tensor value = parameter.value();
      boolean shared = parameter.name().contains(".shared.");
      if (parameter.ofExperts()) {
        for (int expert = 0; expert < value.size(0); expert++) {
          String name = parameter.name().replace(".*.", "." + expert + ".");
          tensors.put(family.nameOf(name), value.select(0, expert).to(dtype));
        }
      } else {
        tensors.put(
            family.nameOf(parameter.name()), (shared ? value.select(0, 0) : value).to(dtype));
      }
    }
    if (model.settings().tied()) { // transformers does not tie them in this model
      tensors.put(family.nameOf("head"), tensors.get(family.nameOf("embedding")));
    }
    List<MoeLayer> layers = model.expertLayers();
    for (int layer = 0; layer < layers.size(); layer++) {
      double[] bias = layers.get(layer).router().bias();
      String prefix = "layers." + layer + ".moe.";
      tensors.put(
          family.nameOf(prefix + "router_bias"), Tensor.of(bias, bias.length).to(DType.FLOAT32));
      if (model.settings().experts().orElseThrow().shared().inner() == 0) {
        long hidden = model.settings().hidden();
        tensors.put(family.nameOf(prefix + "shared.w1"), Tensor.zeros(dtype, ZERO_SHARED, hidden));
        tensors.put(family.nameOf(prefix + "shared.w2"), Tensor.zeros(dtype, hidden, ZERO_SHARED));
      }
    }
    return tensors;
  }

  private static ObjectNode config(ModelSettings model, TextTokenizer tokenizer, DType dtype) {
    MoeSettings moe = model.experts().orElseThrow();
    ObjectNode config = new ObjectMapper().createObjectNode();
    config.put("model_type", new NemotronH().type());
    config.putArray("architectures").add("NemotronHForCausalLM");
    ArrayNode blocks = config.putArray("layers_block_type");
    for (int layer = 0; layer < model.layers(); layer++) {
      blocks.add("attention").add("moe");
    }
    config.put("num_hidden_layers", 2 * model.layers());
    config.put("hidden_size", model.hidden());
    AttentionSettings.Grouped attention = (AttentionSettings.Grouped) model.attention();
    config.put("num_attention_heads", attention.heads());
    config.put("num_key_value_heads", attention.kvHeads());
    config.put("head_dim", attention.headDim());
    config.put("attention_bias", false);
    config.put("intermediate_size", moe.structure().inner());
    config.put("n_routed_experts", moe.structure().experts());
    config.put("num_experts_per_tok", moe.structure().topK());
    config.put("moe_intermediate_size", moe.structure().inner());
    config.put("moe_latent_size", moe.structure().wireWidth());
    config.put(
        "moe_shared_expert_intermediate_size",
        moe.shared().inner() == 0 ? ZERO_SHARED : moe.shared().inner());
    config.put("n_shared_experts", 1);
    config.put("mlp_hidden_act", moe.activation().name().toLowerCase(Locale.ROOT));
    config.put("mlp_bias", false);
    config.put("use_bias", false);
    config.put("norm_topk_prob", moe.router().normalise());
    config.put("routed_scaling_factor", moe.router().scaling());
    config.put("n_group", 1);
    config.put("topk_group", 1);
    config.put("layer_norm_epsilon", model.normEps());
    config.put("tie_word_embeddings", false);
    config.put("vocab_size", model.vocabulary());
    config.put("max_position_embeddings", model.context());
    config.putNull("bos_token_id");
    config.putNull("pad_token_id");
    tokenizer.end().ifPresent(id -> config.put("eos_token_id", id));
    config.put(
        "torch_dtype",
        switch (dtype) {
          case BFLOAT16 -> "bfloat16";
          case FLOAT16 -> "float16";
          default -> "float32";
        });
    return config;
  }
}
