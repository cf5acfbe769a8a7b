package dev.gossamer.lm.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A small tokenizer of SentencePiece's kind, for tests: a space is written into the word behind it,
 * the first one of a text is not given back, and what has no token is written byte by byte.
 */
public final class LlamaLikeTokenizer {
  private static final String FRAME =
      """
      {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
        {"id": 0, "content": "<unk>", "special": true, "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false},
        {"id": 1, "content": "<s>", "special": true, "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false},
        {"id": 2, "content": "</s>", "special": true, "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false}],
       "normalizer": {"type": "Sequence", "normalizers": [
         {"type": "Prepend", "prepend": "▁"},
         {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
       "pre_tokenizer": null,
       "post_processor": {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}}],
         "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
       "decoder": {"type": "Sequence", "decoders": [
         {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
         {"type": "ByteFallback"}, {"type": "Fuse"},
         {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
       "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>",
         "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
         "byte_fallback": true, "ignore_merges": false, "vocab": {}, "merges": []}}
      """;

  private LlamaLikeTokenizer() {}

  public static TextTokenizer make() {
    try {
      ObjectNode root = (ObjectNode) new ObjectMapper().readTree(FRAME);
      ObjectNode vocabulary = (ObjectNode) root.at("/model/vocab");
      for (String special : new String[] {"<unk>", "<s>", "</s>"}) {
        vocabulary.put(special, vocabulary.size());
      }
      for (int value = 0; value < 256; value++) {
        vocabulary.put(String.format("<0x%02X>", value), vocabulary.size());
      }
      vocabulary.put("▁", vocabulary.size());
      for (char letter = 'a'; letter <= 'z'; letter++) {
        vocabulary.put(String.valueOf(letter), vocabulary.size());
      }
      ArrayNode merges = (ArrayNode) root.at("/model/merges");
      for (String merge : new String[] {"t h", "th e", "▁ the", "▁ a", "▁ ▁", "e r"}) {
        merges.add(merge);
        vocabulary.put(merge.replace(" ", ""), vocabulary.size());
      }
      byte[] json = root.toString().getBytes(StandardCharsets.UTF_8);
      return TextTokenizer.of(Path.of("tokenizer.json"), json);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
