package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.serve.TokenScore.Candidate;
import java.util.List;
import java.util.Optional;

/**
 * The answer of {@code /v1/chat/completions}.
 *
 * @param created seconds since 1970
 * @param scored whether log-probabilities are wanted
 * @param counted whether a stream has numbers of tokens at its end, and none before
 */
record ChatAnswer(
    String id, long created, String model, TextTokenizer tokenizer, boolean scored, boolean counted)
    implements Answer {
  private static final String OBJECT = "chat.completion";

  @Override
  public ObjectNode whole(List<ChoiceText> choices, int promptTokens) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    ArrayNode all = Answer.putHead(root, id, OBJECT, created, model);
    for (int i = 0; i < choices.size(); i++) {
      ChoiceText choice = choices.get(i);
      ObjectNode to = all.addObject().put("index", i);
      to.putObject("message").put("role", "assistant").put("content", choice.text());
      finish(to, choice.scores(), Answer.word(choice));
    }
    Answer.putUsage(root, choices, promptTokens);
    return root;
  }

  @Override
  public Optional<ObjectNode> opening(int choice) {
    ObjectNode delta = JsonNodeFactory.instance.objectNode();
    return Optional.of(
        event(choice, delta.put("role", "assistant").put("content", ""), List.of(), null));
  }

  @Override
  public ObjectNode piece(int choice, ChoiceText.Delta delta) {
    ObjectNode content = JsonNodeFactory.instance.objectNode().put("content", delta.text());
    return event(choice, content, delta.scores(), null);
  }

  @Override
  public ObjectNode closing(int choice, String finish) {
    return event(choice, JsonNodeFactory.instance.objectNode(), List.of(), finish);
  }

  private ObjectNode event(
      int choice, ObjectNode delta, List<ChoiceText.Placed> scores, String finish) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    ArrayNode choices = Answer.putHead(root, id, OBJECT + ".chunk", created, model);
    ObjectNode to = choices.addObject().put("index", choice);
    to.set("delta", delta);
    finish(to, scores, finish);
    if (counted) {
      root.putNull("usage");
    }
    return root;
  }

  @Override
  public ObjectNode usage(List<ChoiceText> choices, int promptTokens) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    Answer.putHead(root, id, OBJECT + ".chunk", created, model);
    Answer.putUsage(root, choices, promptTokens);
    return root;
  }

  private void finish(ObjectNode to, List<ChoiceText.Placed> scores, String finish) {
    if (scored && !scores.isEmpty()) {
      ArrayNode content = to.putObject("logprobs").putArray("content");
      for (ChoiceText.Placed placed : scores) {
        TokenScore score = placed.score();
        ObjectNode token = content.addObject();
        put(token, score.id(), score.logProbability().orElseThrow());
        ArrayNode likeliest = token.putArray("top_logprobs");
        for (Candidate candidate : score.likeliest()) {
          put(likeliest.addObject(), candidate.id(), candidate.logProbability());
        }
      }
    } else {
      to.putNull("logprobs");
    }
    to.put("finish_reason", finish);
  }

  private void put(ObjectNode to, int id, double logProbability) {
    TokenText text = TokenText.of(id, tokenizer);
    to.put("token", text.text());
    to.put("logprob", logProbability);
    if (text.bytes().length == 0) {
      to.putNull("bytes");
    } else {
      ArrayNode bytes = to.putArray("bytes");
      for (byte each : text.bytes()) {
        bytes.add(each & 0xff);
      }
    }
  }
}
