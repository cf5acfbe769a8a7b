package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.serve.TokenScore.Candidate;
import java.util.List;
import java.util.Optional;

/**
 * The answer of {@code /v1/completions}.
 *
 * @param created seconds since 1970
 * @param scored whether log-probabilities are wanted
 * @param counted whether a stream has numbers of tokens at its end, and none before
 */
record CompletionAnswer(
    String id, long created, String model, TextTokenizer tokenizer, boolean scored, boolean counted)
    implements Answer {
  private static final String OBJECT = "text_completion";

  @Override
  public ObjectNode whole(List<ChoiceText> choices, int promptTokens) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    ArrayNode all = Answer.putHead(root, id, OBJECT, created, model);
    for (int i = 0; i < choices.size(); i++) {
      ChoiceText choice = choices.get(i);
      put(all.addObject(), i, choice.text(), choice.scores(), Answer.word(choice));
    }
    Answer.putUsage(root, choices, promptTokens);
    return root;
  }

  @Override
  public Optional<ObjectNode> opening(int choice) {
    return Optional.empty();
  }

  @Override
  public ObjectNode piece(int choice, ChoiceText.Delta delta) {
    return event(choice, delta.text(), delta.scores(), null);
  }

  @Override
  public ObjectNode closing(int choice, String finish) {
    return event(choice, "", List.of(), finish);
  }

  private ObjectNode event(int choice, String text, List<ChoiceText.Placed> scores, String finish) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    ArrayNode choices = Answer.putHead(root, id, OBJECT, created, model);
    put(choices.addObject(), choice, text, scores, finish);
    if (counted) {
      root.putNull("usage");
    }
    return root;
  }

  @Override
  public ObjectNode usage(List<ChoiceText> choices, int promptTokens) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    Answer.putHead(root, id, OBJECT, created, model);
    Answer.putUsage(root, choices, promptTokens);
    return root;
  }

  private void put(
      ObjectNode to, int index, String text, List<ChoiceText.Placed> scores, String finish) {
    to.put("index", index);
    to.put("text", text);
    if (scored && !(scores.isEmpty() && text.isEmpty())) {
      putScores(to.putObject("logprobs"), scores);
    } else {
      to.putNull("logprobs");
    }
    to.put("finish_reason", finish);
  }

  private void putScores(ObjectNode to, List<ChoiceText.Placed> scores) {
    ArrayNode tokens = to.putArray("tokens");
    ArrayNode logProbabilities = to.putArray("token_logprobs");
    ArrayNode likeliest = to.putArray("top_logprobs");
    ArrayNode offsets = to.putArray("text_offset");
    for (ChoiceText.Placed placed : scores) {
      TokenScore score = placed.score();
      String text = TokenText.of(score.id(), tokenizer).text();
      tokens.add(text);
      offsets.add(placed.offset());
      if (score.logProbability().isEmpty()) {
        logProbabilities.addNull();
        likeliest.addNull();
        continue;
      }
      double own = score.logProbability().getAsDouble();
      logProbabilities.add(own);
      ObjectNode candidates = likeliest.addObject();
      for (Candidate candidate : score.likeliest()) {
        candidates.put(TokenText.of(candidate.id(), tokenizer).text(), candidate.logProbability());
      }
      candidates.put(text, own);
    }
  }
}
