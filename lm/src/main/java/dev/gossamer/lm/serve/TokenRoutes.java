package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.data.TextTokenizer;

/** Text to tokens and back, for clients that count. */
record TokenRoutes(ModelSettings model, TextTokenizer tokenizer) {
  /** {@code {"prompt": text, "add_special_tokens": true}}. */
  ObjectNode tokenize(byte[] body) {
    RequestFields fields = RequestFields.read(body);
    String text =
        fields
            .text("prompt")
            .orElseThrow(() -> ApiError.field("prompt", "'prompt' is missing. Give a text"));
    boolean special = !fields.has("add_special_tokens") || fields.flag("add_special_tokens");
    fields.node("model");
    fields.requireAllKnown();
    int[] ids = special ? tokenizer.encode(text) : tokenizer.encodePlain(text);
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("count", ids.length);
    root.put("max_model_len", model.context());
    ArrayNode tokens = root.putArray("tokens");
    for (int id : ids) {
      tokens.add(id);
    }
    return root;
  }

  /** {@code {"tokens": [ids]}}. */
  ObjectNode detokenize(byte[] body) {
    RequestFields fields = RequestFields.read(body);
    int[] ids = Order.tokens("tokens", fields.node("tokens"), model.vocabulary());
    fields.node("model");
    fields.requireAllKnown();
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    return root.put("prompt", tokenizer.decode(ids));
  }
}
