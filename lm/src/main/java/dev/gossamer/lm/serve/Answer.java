package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;

/** How an answer is written: that of a completion, or that of a conversation. */
interface Answer {
  /** A whole one. */
  ObjectNode whole(List<ChoiceText> choices, int promptTokens);

  /** The first event of a choice in a stream, if there is one before any text. */
  Optional<ObjectNode> opening(int choice);

  /** An event with what is new of a choice. */
  ObjectNode piece(int choice, ChoiceText.Delta delta);

  /** The last event of a choice. */
  ObjectNode closing(int choice, String finish);

  /** The event with numbers of tokens, which belongs to no choice. */
  ObjectNode usage(List<ChoiceText> choices, int promptTokens);

  /** Why a choice ended, in the word of the interface. */
  static String word(ChoiceText choice) {
    return switch (choice.finish()) {
      case STOP -> "stop";
      case LENGTH -> "length";
      case CANCELLED -> throw new IllegalStateException("An answer that was cancelled");
    };
  }

  /** Adds the numbers of tokens. */
  static void putUsage(ObjectNode to, List<ChoiceText> choices, int promptTokens) {
    int generated = choices.stream().mapToInt(ChoiceText::tokens).sum();
    ObjectNode usage = to.putObject("usage");
    usage.put("prompt_tokens", promptTokens);
    usage.put("completion_tokens", generated);
    usage.put("total_tokens", promptTokens + generated);
  }

  /** The head of an object, with its empty list of choices. */
  static ArrayNode putHead(ObjectNode to, String id, String object, long created, String model) {
    to.put("id", id);
    to.put("object", object);
    to.put("created", created);
    to.put("model", model);
    return to.putArray("choices");
  }
}
