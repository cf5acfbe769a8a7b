package dev.gossamer.video.hunyuan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.nn.LayerRow;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.PromptEncoding;
import dev.gossamer.video.text.ClipTextEncoder;
import dev.gossamer.video.text.LlamaEncoder;
import dev.gossamer.video.text.TokenIds;
import dev.gossamer.video.text.Tokenizer;
import java.util.Map;

/** Both text encoders: Llama for a prompt's rows, CLIP for one vector of the whole prompt. */
record HunyuanText(LlamaEncoder llama, Tokenizer clipTokenizer, ClipTextEncoder clip)
    implements AutoCloseable {
  static HunyuanText open(HunyuanFamily.Configs configs, ModelOptions options) {
    DType dtype = options.dtype();
    Device device = options.device();
    LayerRow.Stay stay = options.offload().stay();
    LlamaEncoder llama =
        LlamaEncoder.open(configs.llama(), configs.files(HunyuanFamily.LLAMA), dtype, device, stay);
    try {
      ClipTextEncoder clip =
          ClipTextEncoder.open(
              configs.clip(), configs.files(HunyuanFamily.CLIP), dtype, device, stay);
      try {
        return new HunyuanText(
            llama, configs.checkpoint().tokenizer(HunyuanFamily.CLIP_TOKENIZER), clip);
      } catch (RuntimeException | Error e) {
        clip.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      llama.close();
      throw e;
    }
  }

  /**
   * @param ids of the prompt in its template
   * @return {@code rows [1, tokens, width]} without the template's and {@code pooled [1, width]}
   */
  PromptEncoding encode(String prompt, TokenIds ids, PromptTemplate template) {
    try (Scope scope = Scope.open()) {
      int kept = template.kept(ids);
      Tensor rows =
          llama
              .encode(Tensor.of(ids.ids(), 1, ids.count()))
              .narrow(1, template.crop(), kept)
              .copy();
      TokenIds words = clipTokenizer.encode(prompt, clip.config().positions());
      Tensor pooled = clip.pooled(Tensor.of(words.ids(), 1, words.count()));
      return new PromptEncoding(Map.of("rows", rows, "pooled", pooled), ids.dropped());
    }
  }

  @Override
  public void close() {
    llama.close();
    clipTokenizer.close();
    clip.close();
  }
}
