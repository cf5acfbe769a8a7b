package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.generate.Completion.Finish;
import dev.gossamer.lm.generate.TextFlow;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * Answers requests for text: whole, or piece by piece.
 *
 * @param name of the model, as clients call it
 */
record Generation(String name, ModelSettings model, TextTokenizer tokenizer, Engine engine) {
  private static final Duration SILENCE = Duration.ofSeconds(1);

  /** A whole answer that takes longer begins before it is there. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  void complete(Call call, byte[] body) throws IOException, InterruptedException {
    RequestFields fields = fields(body);
    Order order = Order.completion(fields, model, tokenizer);
    boolean scored = order.texts().get(0).likeliest().isPresent();
    answer(
        call,
        order,
        new CompletionAnswer(newId("cmpl-"), now(), name, tokenizer, scored, order.includeUsage()));
  }

  void chat(Call call, byte[] body) throws IOException, InterruptedException {
    RequestFields fields = fields(body);
    Order order = Order.chat(fields, model, tokenizer);
    boolean scored = order.texts().get(0).likeliest().isPresent();
    answer(
        call,
        order,
        new ChatAnswer(newId("chatcmpl-"), now(), name, tokenizer, scored, order.includeUsage()));
  }

  private RequestFields fields(byte[] body) {
    RequestFields fields = RequestFields.read(body);
    Optional<String> asked = fields.text("model");
    if (asked.isPresent() && !asked.get().equals(name)) {
      throw ApiError.noSuchModel(asked.get(), name);
    }
    return fields;
  }

  private static String newId(String kind) {
    return kind + UUID.randomUUID().toString().replace("-", "");
  }

  private static long now() {
    return Instant.now().getEpochSecond();
  }

  private void answer(Call call, Order order, Answer answer)
      throws IOException, InterruptedException {
    Submission submission = engine.submit(order.texts());
    try {
      List<ChoiceText> choices = new ArrayList<>();
      for (TextRequest text : order.texts()) {
        boolean isWhole = text.extent() != TextRequest.Extent.CONTINUATION;
        int[] before = isWhole || text.likeliest().isEmpty() ? new int[0] : text.prompt();
        TextFlow flow = new TextFlow(tokenizer, before, List.of());
        choices.add(new ChoiceText(flow, order.chat()));
      }
      if (order.streamed()) {
        try (EventStream events = call.events()) {
          stream(submission, order, choices, answer, events);
        }
      } else {
        for (int i = 0; i < order.echoes().size(); i++) {
          choices.get(i).echo(order.echoes().get(i));
        }
        await(submission, choices, call);
        call.answer(answer.whole(choices, order.promptTokens()));
      }
    } finally {
      submission.cancel(); // whatever was not answered to its end
    }
  }

  /** Takes all events; the client hears now and then that it is waited for. */
  private static void await(Submission submission, List<ChoiceText> choices, Call call)
      throws IOException, InterruptedException {
    long due = System.nanoTime() + PATIENCE.toNanos();
    for (int left = choices.size(); left > 0; ) {
      Optional<TextEvent> event = next(submission);
      event.ifPresent(some -> take(choices, some));
      left -= event.isPresent() && event.get().isLast() ? 1 : 0;
      if (left > 0 && System.nanoTime() - due >= 0) {
        call.keepWaiting();
        due = System.nanoTime() + SILENCE.toNanos();
      }
    }
  }

  private static Optional<TextEvent> next(Submission submission) throws InterruptedException {
    Optional<TextEvent> event = submission.next(SILENCE);
    if (event.isPresent() && event.get().failure().isPresent()) {
      throw ApiError.failed(event.get().failure().get());
    }
    if (event.isPresent() && event.get().finish().equals(Optional.of(Finish.CANCELLED))) {
      throw ApiError.ending("The server ends before the text does. Ask again");
    }
    return event;
  }

  private static ChoiceText.Delta take(List<ChoiceText> choices, TextEvent event) {
    return choices.get(event.text()).take(event);
  }

  private void stream(
      Submission submission,
      Order order,
      List<ChoiceText> choices,
      Answer answer,
      EventStream events)
      throws IOException, InterruptedException {
    for (int i = 0; i < choices.size(); i++) {
      Optional<ObjectNode> opening = answer.opening(i);
      if (opening.isPresent()) {
        events.event(opening.get());
      }
      if (!order.echoes().isEmpty()) {
        events.event(answer.piece(i, choices.get(i).echo(order.echoes().get(i))));
      }
    }
    try {
      for (int left = choices.size(); left > 0; ) {
        Optional<TextEvent> event = next(submission);
        if (event.isEmpty()) {
          events.comment();
          continue;
        }
        ChoiceText.Delta delta = take(choices, event.get());
        if (!delta.isEmpty()) {
          events.event(answer.piece(event.get().text(), delta));
        }
        if (event.get().isLast()) {
          left--;
          String why = Answer.word(choices.get(event.get().text()));
          events.event(answer.closing(event.get().text(), why));
        }
      }
    } catch (ApiError e) {
      events.event(e.json()); // the status has been sent
      return;
    }
    if (order.includeUsage()) {
      events.event(answer.usage(choices, order.promptTokens()));
    }
    events.done();
  }
}
