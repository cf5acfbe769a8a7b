package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.JsonNode;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.lm.serve.TextRequest.Extent;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;

/**
 * What a request asks for.
 *
 * @param texts to be continued: the choices of the first prompt, then those of the second, ..
 * @param prompts of which there are choices
 * @param echoes what stands before each text's continuation in the answer; empty without echo
 * @param streamed whether the answer comes piece by piece
 * @param includeUsage whether a stream ends with the numbers of tokens
 * @param chat whether it is an answer in a conversation
 */
record Order(
    List<TextRequest> texts,
    int prompts,
    List<String> echoes,
    boolean streamed,
    boolean includeUsage,
    boolean chat) {
  private static final int MOST_CHOICES = 128;
  private static final int MOST_STOPS = 16;
  private static final int LONGEST_STOP = 1000;
  private static final int MOST_LIKELIEST = 20;
  private static final int USUAL_TOKENS = 16;

  Order {
    texts = List.copyOf(texts);
    echoes = List.copyOf(echoes);
  }

  /** A prompt as it was given and as tokens. */
  private record Prompt(String text, int[] ids) {}

  /** Tokens of all prompts, each counted once. */
  int promptTokens() {
    int choices = texts.size() / prompts;
    int tokens = 0;
    for (int i = 0; i < texts.size(); i += choices) {
      tokens += texts.get(i).prompt().length;
    }
    return tokens;
  }

  /**
   * Of {@code /v1/completions}.
   *
   * @throws ApiError if the request is not as it should be
   */
  static Order completion(RequestFields fields, ModelSettings model, TextTokenizer tokenizer) {
    OptionalInt likeliest = fields.whole("logprobs", 0, MOST_LIKELIEST);
    boolean echo = fields.flag("echo");
    int tokens = fields.whole("max_tokens", 0, Integer.MAX_VALUE).orElse(USUAL_TOKENS);
    if (tokens == 0 && !echo) {
      throw ApiError.field("max_tokens", "'max_tokens' is 0 without 'echo'. Ask for 1 or more");
    }
    int choices = choices(fields);
    fields.only("best_of", String.valueOf(choices));
    fields.only("suffix", "\"\"");
    Extent extent = !echo ? Extent.CONTINUATION : tokens == 0 ? Extent.PROMPT : Extent.WHOLE;
    List<String> stops = stops(fields);
    List<Prompt> prompts = prompts(fields.node("prompt"), model, tokenizer);
    return order(fields, prompts, choices, Math.max(1, tokens), stops, extent, likeliest, false);
  }

  /**
   * Of {@code /v1/chat/completions}.
   *
   * @throws ApiError if the request is not as it should be
   */
  static Order chat(RequestFields fields, ModelSettings model, TextTokenizer tokenizer) {
    OptionalInt top = fields.whole("top_logprobs", 0, MOST_LIKELIEST);
    boolean scored = fields.flag("logprobs");
    if (top.isPresent() && !scored) {
      throw ApiError.field("top_logprobs", "'top_logprobs' is only for 'logprobs': true");
    }
    OptionalInt likeliest = scored ? OptionalInt.of(top.orElse(0)) : OptionalInt.empty();
    OptionalInt old = fields.whole("max_tokens", 1, Integer.MAX_VALUE);
    OptionalInt tokens = fields.whole("max_completion_tokens", 1, Integer.MAX_VALUE);
    fields.only("response_format", "{\"type\":\"text\"}");
    fields.only("modalities", "[\"text\"]");
    fields.only("tools", "[]");
    fields.only("tool_choice", "\"none\"");
    String text = ChatFormat.prompt(fields.node("messages"));
    List<Prompt> prompts = List.of(prompt("messages", text, model, tokenizer));
    int most = (tokens.isPresent() ? tokens : old).orElse(model.context());
    List<String> stops = stops(fields);
    stops.add(ChatFormat.STOP);
    Extent extent = Extent.CONTINUATION;
    return order(fields, prompts, choices(fields), most, stops, extent, likeliest, true);
  }

  private static int choices(RequestFields fields) {
    return fields.whole("n", 1, MOST_CHOICES).orElse(1);
  }

  private static Order order(
      RequestFields fields,
      List<Prompt> prompts,
      int choices,
      int tokens,
      List<String> stops,
      Extent extent,
      OptionalInt likeliest,
      boolean chat) {
    boolean streamed = fields.flag("stream");
    RequestFields options = fields.part("stream_options");
    boolean includeUsage = options.flag("include_usage");
    options.flag("include_obfuscation"); // that pieces of all lengths look alike: not done
    options.requireAllKnown();
    if (fields.has("stream_options") && !streamed) {
      throw ApiError.field("stream_options", "'stream_options' is only for 'stream': true");
    }
    boolean ignoreEnd = fields.flag("ignore_eos");
    long seed = fields.seed("seed").orElseGet(ThreadLocalRandom.current()::nextLong);
    List<Completion> completions = new ArrayList<>();
    for (int choice = 0; choice < choices; choice++) {
      SamplingSettings sampling = sampling(fields, seed + choice);
      completions.add(new Completion(sampling, tokens, stops, ignoreEnd, true));
    }
    fields.requireAllKnown();
    List<TextRequest> texts = new ArrayList<>();
    List<String> echoes = new ArrayList<>();
    for (Prompt prompt : prompts) {
      for (Completion completion : completions) {
        texts.add(new TextRequest(prompt.ids(), completion, extent, likeliest));
        if (extent != Extent.CONTINUATION) {
          echoes.add(prompt.text());
        }
      }
    }
    return new Order(texts, prompts.size(), echoes, streamed, includeUsage, chat);
  }

  private static SamplingSettings sampling(RequestFields fields, long seed) {
    return new SamplingSettings(
        fields.byToken("logit_bias"),
        fields.real("repetition_penalty", 1),
        fields.real("presence_penalty", 0),
        fields.real("frequency_penalty", 0),
        fields.real("temperature", 1),
        Math.max(0, fields.whole("top_k", -1, Integer.MAX_VALUE).orElse(0)),
        fields.real("top_p", 1),
        fields.real("min_p", 0),
        seed);
  }

  private static List<String> stops(RequestFields fields) {
    List<String> stops = fields.texts("stop", MOST_STOPS);
    for (String stop : stops) {
      if (stop.isEmpty() || stop.length() > LONGEST_STOP) {
        throw ApiError.field(
            "stop",
            "A string of 'stop' has " + stop.length() + " characters, not 1 to " + LONGEST_STOP);
      }
    }
    return stops;
  }

  /** A string, an array of strings, an array of token ids, or an array of such. */
  private static List<Prompt> prompts(
      JsonNode value, ModelSettings model, TextTokenizer tokenizer) {
    List<Prompt> prompts = new ArrayList<>();
    if (value.isTextual()) {
      prompts.add(prompt("prompt", value.textValue(), model, tokenizer));
    } else if (value.isArray() && !value.isEmpty() && value.get(0).isNumber()) {
      prompts.add(ids(value, model, tokenizer));
    } else if (value.isArray() && !value.isEmpty()) {
      for (JsonNode each : value) {
        prompts.add(
            each.isTextual()
                ? prompt("prompt", each.textValue(), model, tokenizer)
                : ids(each, model, tokenizer));
      }
    } else {
      throw ApiError.field(
          "prompt",
          "'prompt' is no string, no array of strings, no array of token ids and no array of such"
              + " arrays");
    }
    return prompts;
  }

  private static Prompt ids(JsonNode value, ModelSettings model, TextTokenizer tokenizer) {
    int[] ids = tokens("prompt", value, model.vocabulary());
    return checked("prompt", new Prompt(tokenizer.decode(ids), ids), model);
  }

  /**
   * Token ids out of JSON.
   *
   * @throws ApiError if they are none, or not in the vocabulary
   */
  static int[] tokens(String key, JsonNode value, int vocabulary) {
    if (!value.isArray()) {
      throw ApiError.field(key, "'" + key + "' is no array of token ids");
    }
    int[] ids = new int[value.size()];
    for (int i = 0; i < ids.length; i++) {
      JsonNode id = value.get(i);
      if (!id.isInt() || id.intValue() < 0 || id.intValue() >= vocabulary) {
        throw ApiError.field(
            key, "'" + key + "' has " + id + ", not a token id from 0 to " + (vocabulary - 1));
      }
      ids[i] = id.intValue();
    }
    return ids;
  }

  private static Prompt prompt(
      String key, String text, ModelSettings model, TextTokenizer tokenizer) {
    return checked(key, new Prompt(text, tokenizer.encode(text)), model);
  }

  private static Prompt checked(String key, Prompt prompt, ModelSettings model) {
    if (prompt.ids().length == 0) {
      throw ApiError.field(key, "'" + key + "' is empty. Give at least one character");
    }
    if (prompt.ids().length >= model.context()) {
      throw ApiError.tooLong(
          key,
          "'"
              + key
              + "' has "
              + prompt.ids().length
              + " tokens, which leave no room in the model's context of "
              + model.context()
              + ". Use a shorter text");
    }
    return prompt;
  }
}
