package dev.gossamer.lm.serve;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.lm.ByteModel;
import dev.gossamer.lm.generate.Completion;
import dev.gossamer.lm.generate.SamplingSettings;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What clients see, over real connections. */
class ModelServerTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration GRACE = Duration.ofSeconds(30);
  private static final EngineSettings ROOM = new EngineSettings(16, 40_000, 64, 64);
  private static final int MAX_BODY = 20_000;
  private static final String CHAT =
      "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"max_tokens\": 9}";

  @TempDir private static Path folder;
  private static ByteModel opened;
  private static ModelServer server;
  private static HttpClient client;

  @BeforeAll
  static void open() {
    opened = ByteModel.open(folder, 2048);
    client = HttpClient.newHttpClient();
    server = start(ROOM, Optional.empty());
  }

  @AfterAll
  static void close() {
    server.close();
    opened.close();
  }

  private static ModelServer start(EngineSettings work, Optional<String> token) {
    ModelServer made = new ModelServer(new ServerSettings("127.0.0.1", 0, token, MAX_BODY));
    made.start("tiny", opened.model(), opened.tokenizer(), work);
    return made;
  }

  private static HttpRequest.Builder to(ModelServer server, String path) {
    return HttpRequest.newBuilder(URI.create(server.url().replace("/v1", "") + path));
  }

  private static HttpResponse<String> send(HttpRequest.Builder request) {
    try {
      return client.send(request.build(), BodyHandlers.ofString());
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static HttpResponse<String> get(ModelServer from, String path) {
    return send(to(from, path));
  }

  private static HttpRequest.Builder posting(ModelServer to, String path, String body) {
    return to(to, path)
        .header("Content-Type", "application/json")
        .POST(BodyPublishers.ofString(body));
  }

  private static HttpResponse<String> post(String path, String body) {
    return send(posting(server, path, body.replace('\'', '"')));
  }

  private static JsonNode json(String text) {
    try {
      return JSON.readTree(text);
    } catch (IOException e) {
      throw new IllegalStateException(text, e);
    }
  }

  private static JsonNode answer(String path, String body) {
    HttpResponse<String> response = post(path, body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).contains("application/json");
    return json(response.body());
  }

  private static String alone(String prompt, SamplingSettings sampling, int tokens) {
    return new Completion(sampling, tokens, List.of(), true, true)
        .run(
            opened.model(),
            opened.tokenizer(),
            opened.tokenizer().encode(prompt),
            piece -> {},
            () -> false)
        .text();
  }

  private static List<String> keys(JsonNode object) {
    List<String> keys = new ArrayList<>();
    for (Iterator<String> names = object.fieldNames(); names.hasNext(); ) {
      keys.add(names.next());
    }
    return keys;
  }

  @Test
  void aCompletionHasEveryField() {
    JsonNode root =
        answer(
            "/v1/completions",
            "{'model': 'tiny', 'prompt': 'The sea', 'max_tokens': 7, 'temperature': 0,"
                + " 'ignore_eos': true, 'user': 'u', 'stop': null}");
    assertThat(keys(root)).containsExactly("id", "object", "created", "model", "choices", "usage");
    assertThat(root.path("id").asText()).matches("cmpl-[0-9a-f]{32}");
    assertThat(root.path("object").asText()).isEqualTo("text_completion");
    assertThat(root.path("created").asLong()).isGreaterThan(1_700_000_000L);
    assertThat(root.path("model").asText()).isEqualTo("tiny");
    JsonNode choice = root.path("choices").path(0);
    assertThat(root.path("choices")).hasSize(1);
    assertThat(keys(choice)).containsExactly("index", "text", "logprobs", "finish_reason");
    assertThat(choice.path("index").asInt()).isZero();
    assertThat(choice.path("text").asText())
        .isEqualTo(alone("The sea", SamplingSettings.GREEDY, 7));
    assertThat(choice.path("logprobs").isNull()).isTrue();
    assertThat(choice.path("finish_reason").asText()).isEqualTo("length");
    assertThat(root.path("usage").toString())
        .isEqualTo("{\"prompt_tokens\":7,\"completion_tokens\":7,\"total_tokens\":14}");
  }

  @Test
  void severalPromptsHaveSeveralChoicesEach() {
    JsonNode root =
        answer(
            "/v1/completions",
            "{'prompt': ['The sea', 'a'], 'n': 2, 'max_tokens': 9, 'seed': 5,"
                + " 'ignore_eos': true}");
    assertThat(root.path("choices")).hasSize(4);
    for (int i = 0; i < 4; i++) {
      SamplingSettings sampling = new SamplingSettings(Map.of(), 1, 0, 0, 1, 0, 1, 0, 5 + i % 2);
      assertThat(root.path("choices").path(i).path("index").asInt()).isEqualTo(i);
      assertThat(root.path("choices").path(i).path("text").asText())
          .isEqualTo(alone(i < 2 ? "The sea" : "a", sampling, 9));
    }
    assertThat(root.path("usage").path("prompt_tokens").asInt()).isEqualTo(8);
    assertThat(root.path("usage").path("completion_tokens").asInt()).isEqualTo(36);
    JsonNode ids =
        answer(
            "/v1/completions",
            "{'prompt': [97], 'n': 1, 'max_tokens': 9, 'seed': 5, 'ignore_eos': true}");
    assertThat(ids.path("choices").path(0).path("text"))
        .isEqualTo(root.path("choices").path(2).path("text"));
  }

  @Test
  void everySamplingFieldReachesTheSampler() {
    JsonNode root =
        answer(
            "/v1/completions",
            "{'prompt': 'The sea', 'max_tokens': 30, 'seed': 9, 'temperature': 1.5, 'top_p': 0.9,"
                + " 'top_k': 50, 'min_p': 0.001, 'repetition_penalty': 1.3,"
                + " 'presence_penalty': 0.5, 'frequency_penalty': -0.25,"
                + " 'logit_bias': {'120': 4.5}, 'ignore_eos': true}");
    SamplingSettings sampling =
        new SamplingSettings(Map.of(120, 4.5), 1.3, 0.5, -0.25, 1.5, 50, 0.9, 0.001, 9);
    assertThat(root.at("/choices/0/text").asText()).isEqualTo(alone("The sea", sampling, 30));
  }

  @Test
  void stopStringsAndTheEndOfADocumentEndIt() {
    String greedy = alone("The sea", SamplingSettings.GREEDY, 40);
    String stop = greedy.substring(10, 12);
    String expected = greedy.substring(0, greedy.indexOf(stop));
    String body =
        JSON.createObjectNode()
            .put("prompt", "The sea")
            .put("max_tokens", 40)
            .put("temperature", 0)
            .put("stop", stop)
            .toString();
    JsonNode root = json(send(posting(server, "/v1/completions", body)).body());
    assertThat(root.at("/choices/0/text").asText()).isEqualTo(expected);
    assertThat(root.at("/choices/0/finish_reason").asText()).isEqualTo("stop");
    JsonNode ended =
        answer("/v1/completions", "{'prompt': 'a', 'logit_bias': {'256': 100}, 'temperature': 0}");
    assertThat(ended.at("/choices/0/text").asText()).isEmpty();
    assertThat(ended.at("/choices/0/finish_reason").asText()).isEqualTo("stop");
    assertThat(ended.at("/usage/completion_tokens").asInt()).isZero();
  }

  @Test
  void anEchoWithLogProbabilitiesRatesThePrompt() {
    JsonNode root =
        answer(
            "/v1/completions",
            "{'prompt': 'né', 'max_tokens': 2, 'echo': true, 'logprobs': 3, 'temperature': 0,"
                + " 'logit_bias': {'120': 100}}");
    JsonNode choice = root.path("choices").path(0);
    assertThat(choice.path("text").asText()).isEqualTo("néxx");
    JsonNode logprobs = choice.path("logprobs");
    assertThat(keys(logprobs))
        .containsExactly("tokens", "token_logprobs", "top_logprobs", "text_offset");
    assertThat(logprobs.path("tokens").toString())
        .isEqualTo("[\"n\",\"bytes:\\\\xc3\",\"bytes:\\\\xa9\",\"x\",\"x\"]");
    assertThat(logprobs.path("text_offset").toString()).isEqualTo("[0,1,1,2,3]");
    assertThat(logprobs.path("token_logprobs").path(0).isNull()).isTrue();
    assertThat(logprobs.path("top_logprobs").path(0).isNull()).isTrue();
    for (int i = 1; i < 5; i++) {
      double own = logprobs.path("token_logprobs").path(i).asDouble();
      assertThat(own).isNegative(); // a bias does not show in it
      JsonNode likeliest = logprobs.path("top_logprobs").path(i);
      assertThat(likeliest.size()).isBetween(3, 4);
      assertThat(likeliest.path(logprobs.path("tokens").path(i).asText()).asDouble())
          .isEqualTo(own);
    }
    JsonNode prompt =
        answer("/v1/completions", "{'prompt': 'né', 'max_tokens': 0, 'echo': true, 'logprobs': 0}");
    assertThat(prompt.at("/choices/0/text").asText()).isEqualTo("né");
    assertThat(prompt.at("/usage/completion_tokens").asInt()).isZero();
    assertThat(prompt.at("/choices/0/logprobs/token_logprobs/2").asDouble())
        .isCloseTo(logprobs.path("token_logprobs").path(2).asDouble(), offset(1e-3));
  }

  @Test
  void aChatHasEveryField() {
    JsonNode root =
        answer(
            "/v1/chat/completions",
            "{'model': 'tiny', 'messages': [{'role': 'system', 'content': 'Be kind.'},"
                + " {'role': 'user', 'content': [{'type': 'text', 'text': 'Hello'}]},"
                + " {'role': 'assistant', 'content': 'Hi'}, {'role': 'user', 'content': 'Go'}],"
                + " 'max_completion_tokens': 5, 'temperature': 0, 'ignore_eos': true,"
                + " 'logprobs': true, 'top_logprobs': 2, 'response_format': {'type': 'text'}}");
    assertThat(keys(root)).containsExactly("id", "object", "created", "model", "choices", "usage");
    assertThat(root.path("id").asText()).startsWith("chatcmpl-");
    assertThat(root.path("object").asText()).isEqualTo("chat.completion");
    JsonNode choice = root.path("choices").path(0);
    assertThat(keys(choice)).containsExactly("index", "message", "logprobs", "finish_reason");
    assertThat(keys(choice.path("message"))).containsExactly("role", "content");
    assertThat(choice.at("/message/role").asText()).isEqualTo("assistant");
    String prompt = "Be kind.\n\nUser: Hello\nAssistant: Hi\nUser: Go\nAssistant:";
    String expected = alone(prompt, SamplingSettings.GREEDY, 5);
    assertThat(choice.at("/message/content").asText())
        .isEqualTo(expected.startsWith(" ") ? expected.substring(1) : expected);
    assertThat(choice.path("finish_reason").asText()).isEqualTo("length");
    assertThat(root.at("/usage/prompt_tokens").asInt()).isEqualTo(prompt.length());
    JsonNode tokens = choice.at("/logprobs/content");
    assertThat(tokens).hasSize(5);
    for (JsonNode token : tokens) {
      assertThat(keys(token)).containsExactly("token", "logprob", "bytes", "top_logprobs");
      assertThat(token.path("bytes")).hasSize(1);
      assertThat(token.path("top_logprobs")).hasSize(2);
      assertThat(token.at("/top_logprobs/0/logprob")).isEqualTo(token.path("logprob")); // greedy
      assertThat(token.at("/top_logprobs/0/token")).isEqualTo(token.path("token"));
    }
  }

  private static List<String> lines(String path, String body) {
    HttpResponse<String> response = post(path, body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).contains("text/event-stream");
    return List.of(response.body().split("(?<=\n\n)"));
  }

  /** The objects of a stream, each of which is exactly a line and an empty one. */
  private static List<JsonNode> stream(String path, String body) {
    List<JsonNode> events = new ArrayList<>();
    List<String> lines = lines(path, body);
    assertThat(lines.get(lines.size() - 1)).isEqualTo("data: [DONE]\n\n");
    for (String line : lines.subList(0, lines.size() - 1)) {
      if (!line.equals(":\n\n")) { // the machine was busy for a second
        assertThat(line).startsWith("data: {").endsWith("}\n\n");
        JsonNode event = json(line.substring(6));
        assertThat(line).isEqualTo("data: " + event + "\n\n");
        events.add(event);
      }
    }
    return events;
  }

  @Test
  void aStreamOfACompletionIsTheSameText() {
    String body = "'prompt': 'The sea', 'max_tokens': 30, 'seed': 4, 'ignore_eos': true";
    List<JsonNode> events =
        stream(
            "/v1/completions",
            "{" + body + ", 'stream': true, 'stream_options': {'include_usage': true}}");
    JsonNode usage = events.get(events.size() - 1);
    JsonNode last = events.get(events.size() - 2);
    assertThat(usage.path("choices")).isEmpty();
    assertThat(usage.path("usage").toString())
        .isEqualTo("{\"prompt_tokens\":7,\"completion_tokens\":30,\"total_tokens\":37}");
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events.subList(0, events.size() - 1)) {
      assertThat(keys(event))
          .containsExactly("id", "object", "created", "model", "choices", "usage");
      assertThat(event.path("usage").isNull()).isTrue();
      assertThat(event.path("id")).isEqualTo(events.get(0).path("id"));
      assertThat(event.path("object").asText()).isEqualTo("text_completion");
      text.append(event.at("/choices/0/text").asText());
      assertThat(event.at("/choices/0/finish_reason").isNull()).isEqualTo(event != last);
    }
    assertThat(last.at("/choices/0/finish_reason").asText()).isEqualTo("length");
    JsonNode whole = answer("/v1/completions", "{" + body + "}");
    assertThat(text).hasToString(whole.at("/choices/0/text").asText());
  }

  @Test
  void aStreamOfAChatBeginsWithTheRoleAndEndsWithTheReason() {
    String body =
        "'messages': [{'role': 'user', 'content': 'Hello'}], 'max_tokens': 20, 'seed': 4, 'n': 2,"
            + " 'ignore_eos': true";
    List<JsonNode> events = stream("/v1/chat/completions", "{" + body + ", 'stream': true}");
    JsonNode whole = answer("/v1/chat/completions", "{" + body + "}");
    for (int choice = 0; choice < 2; choice++) {
      int number = choice;
      List<JsonNode> own =
          events.stream().filter(e -> e.at("/choices/0/index").asInt() == number).toList();
      assertThat(own)
          .allSatisfy(
              event -> {
                assertThat(keys(event))
                    .containsExactly("id", "object", "created", "model", "choices");
                assertThat(event.path("object").asText()).isEqualTo("chat.completion.chunk");
                assertThat(keys(event.at("/choices/0")))
                    .containsExactly("index", "delta", "logprobs", "finish_reason");
              });
      assertThat(own.get(0).at("/choices/0/delta").toString())
          .isEqualTo("{\"role\":\"assistant\",\"content\":\"\"}");
      JsonNode last = own.get(own.size() - 1);
      assertThat(last.at("/choices/0/delta").toString()).isEqualTo("{}");
      assertThat(last.at("/choices/0/finish_reason").asText()).isEqualTo("length");
      String text =
          own.subList(1, own.size() - 1).stream()
              .map(event -> event.at("/choices/0/delta/content").asText())
              .collect(Collectors.joining());
      assertThat(text)
          .isEqualTo(whole.path("choices").path(choice).at("/message/content").asText());
    }
  }

  /** The prompt's last two bytes begin a character; the bias chooses its third byte, always. */
  @Test
  void noEventHasHalfACharacter() {
    List<JsonNode> events =
        stream(
            "/v1/completions",
            "{'prompt': [97, 231, 140], 'max_tokens': 4, 'temperature': 0, 'stream': true,"
                + " 'presence_penalty': 2, 'logprobs': 0, 'ignore_eos': true,"
                + " 'logit_bias': {'171': 100}}");
    assertThat(events.get(0).at("/choices/0/text").asText()).isEqualTo("猫");
    String mixed = "'logit_bias': {'231': 60, '140': 60, '171': 60, '240': 60, '159': 60}";
    List<String> lines =
        lines(
            "/v1/completions",
            "{'prompt': 'a', 'max_tokens': 200, 'seed': 3, 'stream': true, 'temperature': 9, "
                + mixed
                + "}");
    StringBuilder text = new StringBuilder();
    for (String line : lines) {
      if (line.startsWith("data: {")) {
        String piece = json(line.substring(6)).at("/choices/0/text").asText();
        text.append(piece);
      }
    }
    JsonNode whole =
        answer(
            "/v1/completions",
            "{'prompt': 'a', 'max_tokens': 200, 'seed': 3, 'temperature': 9, " + mixed + "}");
    assertThat(text).hasToString(whole.at("/choices/0/text").asText());
  }

  @Test
  void aClientThatLeavesEndsItsText() throws Exception {
    try (ModelServer own = start(new EngineSettings(1, 2048, 4, 64), Optional.empty())) {
      try (Socket socket = socket(own)) {
        raw(
            socket,
            "/v1/completions",
            "{\"prompt\": \"a\", \"max_tokens\": 2000, \"stream\": true, \"ignore_eos\": true}");
        assertThat(socket.getInputStream().read()).isEqualTo('H');
        assertThat(own.texts()).isEqualTo(1);
      }
      // This one has to wait until the other has left.
      HttpResponse<String> next =
          send(posting(own, "/v1/completions", "{\"prompt\": \"a\", \"max_tokens\": 1}"));
      assertThat(next.statusCode()).isEqualTo(200);
      assertThat(metric(own, "gossamer_texts_total{finish=\"cancelled\"}")).isEqualTo(1);
      assertThat(metric(own, "gossamer_disconnects_total")).isEqualTo(1);
      assertThat(metric(own, "gossamer_generated_tokens_total")).isLessThan(2000);
    }
  }

  /** One that has all places for much longer than a test. */
  private static Socket endless(ModelServer to, String more) throws IOException {
    Socket socket = socket(to);
    raw(
        socket,
        "/v1/completions",
        "{\"prompt\": \"a\", \"max_tokens\": 2000, \"n\": 50, \"ignore_eos\": true" + more + "}");
    assertThat(socket.getInputStream().read()).isEqualTo('H');
    return socket;
  }

  @Test
  void aClientThatLeavesAWholeAnswerEndsItsText() throws Exception {
    try (ModelServer own = start(new EngineSettings(1, 2048, 64, 64), Optional.empty())) {
      endless(own, "").close(); // once it has heard that its answer is being made
      HttpResponse<String> next =
          send(posting(own, "/v1/completions", "{\"prompt\": \"a\", \"max_tokens\": 1}"));
      assertThat(json(next.body()).at("/usage/completion_tokens").asInt()).isEqualTo(1);
      assertThat(metric(own, "gossamer_texts_total{finish=\"cancelled\"}")).isPositive();
      assertThat(metric(own, "gossamer_disconnects_total")).isEqualTo(1);
      assertThat(metric(own, "gossamer_generated_tokens_total")).isLessThan(50 * 2000);
    }
  }

  @Test
  void aWholeAnswerThatTakesLongBeginsBeforeItIsThere() throws Exception {
    try (ModelServer own = start(new EngineSettings(1, 2048, 64, 64), Optional.empty());
        Socket first = endless(own, ", \"stream\": true")) {
      HttpResponse<InputStream> waiting =
          client.send(
              posting(
                      own,
                      "/v1/completions",
                      "{\"prompt\": \"The sea\", \"max_tokens\": 3, \"temperature\": 0,"
                          + " \"ignore_eos\": true}")
                  .build(),
              BodyHandlers.ofInputStream()); // returns with the head
      assertThat(waiting.statusCode()).isEqualTo(200);
      assertThat(waiting.headers().firstValue("Content-Length")).isEmpty();
      assertThat(waiting.headers().firstValue("Content-Type")).contains("application/json");
      InputStream body = waiting.body();
      assertThat(body.read()).isEqualTo('\n');
      assertThat(body.read()).isEqualTo('\n');
      first.close();
      JsonNode root = json(new String(body.readAllBytes(), UTF_8));
      assertThat(root.at("/choices/0/text").asText())
          .isEqualTo(alone("The sea", SamplingSettings.GREEDY, 3));
    }
  }

  @Test
  void aWholeAnswerThatHasBegunEndsWithItsError() throws Exception {
    ModelServer own = start(new EngineSettings(1, 2048, 64, 64), Optional.empty());
    try (own;
        Socket first = endless(own, ", \"stream\": true")) {
      HttpResponse<InputStream> waiting =
          client.send(
              posting(own, "/v1/chat/completions", CHAT).build(), BodyHandlers.ofInputStream());
      assertThat(waiting.statusCode()).isEqualTo(200);
      own.stop(Duration.ofMillis(1));
      JsonNode root = json(new String(waiting.body().readAllBytes(), UTF_8));
      assertThat(root.at("/error/code").asText()).isEqualTo("server_stopping");
    }
  }

  private static Socket socket(ModelServer to) throws IOException {
    URI uri = URI.create(to.url());
    return new Socket(InetAddress.getByName(uri.getHost()), uri.getPort());
  }

  private static void raw(Socket socket, String path, String body) throws IOException {
    OutputStream out = socket.getOutputStream();
    byte[] bytes = body.getBytes(UTF_8);
    String head =
        "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + bytes.length + "\r\n\r\n";
    out.write(head.getBytes(StandardCharsets.US_ASCII));
    out.write(bytes);
    out.flush();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{ | | invalid_json | not valid JSON at line 1, column 2: it ends before the object does",
        "{'prompt': 'a', 'n' | | invalid_json | column 20: it ends before the object does. Send all",
        "{'prompt': 'a', 'stop': ['b | | invalid_json | it ends before the object does. Send all",
        "{'prompt': 'a'} x | | invalid_json | not valid JSON",
        "{'prompt': 'a'} {} | | invalid_json | something follows the object. Send one object",
        "{'prompt': 'a', 'prompt': 'b'} | | invalid_json | not valid JSON",
        "[] | | invalid_json | no JSON object",
        "{} | prompt | | 'prompt' is no string",
        "{'prompt': ''} | prompt | | 'prompt' is empty",
        "{'prompt': {}} | prompt | | 'prompt' is no string",
        "{'prompt': [1, 'a']} | prompt | | 'prompt' has 'a', not a token id from 0 to 256",
        "{'prompt': [257]} | prompt | | 'prompt' has 257, not a token id from 0 to 256",
        "{'prompt': 'a', 'max_tokens': 1.5} | max_tokens | | 'max_tokens' is 1.5, not a whole",
        "{'prompt': 'a', 'max_tokens': -1} | max_tokens | | -1, not a whole number, 0 or more",
        "{'prompt': 'a', 'max_tokens': 0} | max_tokens | | 0 without 'echo'",
        "{'prompt': 'a', 'n': 0} | n | | 'n' is 0, not a whole number, 1 to 128",
        "{'prompt': 'a', 'n': 100} | | | 100 texts in one request; there is room for 80",
        "{'prompt': 'a', 'temperature': -1} | | | temperature of -1.0. Use 0 to 100",
        "{'prompt': 'a', 'temperature': 1e999} | temperature | | not a number",
        "{'prompt': 'a', 'top_p': 0} | | | top-p of 0.0",
        "{'prompt': 'a', 'stop': ['a', 1]} | stop | | 'stop' is 1, not a string",
        "{'prompt': 'a', 'stop': ''} | stop | | has 0 characters",
        "{'prompt': 'a', 'seed': 'x'} | seed | | 'seed' is 'x', not a whole number",
        "{'prompt': 'a', 'stream': 1} | stream | | 'stream' is 1, not true or false",
        "{'prompt': 'a', 'logprobs': 21} | logprobs | | 0 to 20",
        "{'prompt': 'a', 'logit_bias': {'x': 1}} | logit_bias | | keys are token ids",
        "{'prompt': 'a', 'logit_bias': {'300': 1}} | | | token 300 of a vocabulary of 257",
        "{'prompt': 'a', 'stream_options': {}} | stream_options | | only for 'stream': true",
        "{'prompt': 'a', 'best_of': 2} | best_of | unsupported_parameter | 'best_of' is not",
        "{'prompt': 'a', 'suffix': 'b'} | suffix | unsupported_parameter | 'suffix' is not",
        "{'prompt': 'a', 'tools': [1], 'x': 2} | tools | unsupported_parameter | 'tools', 'x'",
      })
  void aCompletionThatCannotBeIsRefused(String body, String param, String code, String message) {
    refused("/v1/completions", body, param, code, message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'messages': []} | messages | | at least one message",
        "{'messages': ['a']} | messages[0] | | no object",
        "{'messages': [{'role': 'x', 'content': 'a'}]} | messages[0].role | | is 'x', not system",
        "{'messages': [{'role': 'user'}]} | messages[0].content | | no string",
        "{'messages': [{'role': 'user', 'content': [{'type': 'image_url'}]}]} |"
            + " messages[0].content | unsupported_parameter | a part that is no text",
        "{'messages': [{'role': 'user', 'content': 'a', 'name': 'b'}]} | messages[0].name |"
            + " unsupported_parameter | 'messages[0].name'",
        "{'messages': [{'role': 'user', 'content': 'a'}], 'tools': [{}]} | tools |"
            + " unsupported_parameter | 'tools' is not supported",
        "{'messages': [{'role': 'user', 'content': 'a'}], 'response_format': {'type':"
            + " 'json_object'}} | response_format | unsupported_parameter | 'response_format'",
        "{'messages': [{'role': 'user', 'content': 'a'}], 'top_logprobs': 2} | top_logprobs | |"
            + " only for 'logprobs'",
        "{'messages': [{'role': 'user', 'content': 'a'}], 'prompt': 'a'} | prompt |"
            + " unsupported_parameter | Not supported: 'prompt'",
      })
  void aChatThatCannotBeIsRefused(String body, String param, String code, String message) {
    refused("/v1/chat/completions", body, param, code, message);
  }

  private static void refused(String path, String body, String param, String code, String message) {
    HttpResponse<String> response = post(path, body);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(400);
    JsonNode root = json(response.body());
    assertThat(keys(root)).containsExactly("error");
    JsonNode error = root.path("error");
    assertThat(keys(error)).containsExactly("message", "type", "param", "code");
    assertThat(error.path("message").asText().replace('"', '\'')).contains(message);
    assertThat(error.path("message").asText().lines()).hasSize(1);
    assertThat(error.path("type").asText()).isEqualTo("invalid_request_error");
    assertThat(error.path("param").textValue()).isEqualTo(param);
    assertThat(error.path("code").textValue()).isEqualTo(code);
  }

  private static void error(HttpResponse<String> response, int status, String code) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(json(response.body()).at("/error/code").asText()).isEqualTo(code);
    assertThat(json(response.body()).at("/error/message").asText()).isNotBlank();
  }

  @Test
  void whatIsNotThereIsNamed() {
    error(get(server, "/v2/completions"), 404, "unknown_url");
    error(get(server, "/v1/models/gpt"), 404, "model_not_found");
    error(post("/v1/completions", "{'model': 'gpt', 'prompt': 'a'}"), 404, "model_not_found");
    HttpResponse<String> method = get(server, "/v1/completions");
    error(method, 405, "method_not_allowed");
    assertThat(method.headers().firstValue("Allow")).contains("POST");
    error(post("/health", "{}"), 405, "method_not_allowed");
    error(
        post("/v1/completions", "{'prompt': '" + "x".repeat(2048) + "'}"),
        400,
        "context_length_exceeded");
    error(
        send(
            to(server, "/v1/completions")
                .POST(BodyPublishers.ofByteArray(new byte[] {'{', '"', (byte) 0xff, '"'}))),
        400,
        "invalid_json");
  }

  @Test
  void aBodyThatWasDamagedIsNoFailureOfTheServer() {
    String sound =
        "{\"prompt\": [\"a\", \"né\"], \"max_tokens\": 3, \"n\": 2, \"logprobs\": 1, \"stop\":"
            + " [\"x\"], \"logit_bias\": {\"99\": -1.5}, \"seed\": 4, \"top_p\": 0.9, \"top_k\": 7}";
    byte[] bytes = sound.getBytes(UTF_8);
    SplittableRandom random = new SplittableRandom(6);
    int refused = 0;
    for (int round = 0; round < 400; round++) {
      byte[] damaged = Arrays.copyOf(bytes, random.nextInt(10) == 0 ? 40 : bytes.length);
      for (int i = 1 + random.nextInt(3); i > 0; i--) {
        String likely = "0123456789.-eE\"{}[]:, \\ntfx";
        int at = random.nextInt(damaged.length);
        damaged[at] = (byte) likely.charAt(random.nextInt(likely.length()));
      }
      HttpResponse<String> response =
          send(to(server, "/v1/completions").POST(BodyPublishers.ofByteArray(damaged)));
      assertThat(response.statusCode()).as(new String(damaged, UTF_8)).isIn(200, 400);
      refused += response.statusCode() == 400 ? 1 : 0;
    }
    assertThat(refused).isBetween(200, 399);
  }

  @Test
  void aStreamThatWaitsIsHeardOf() throws Exception {
    try (ModelServer own = start(new EngineSettings(1, 2048, 64, 64), Optional.empty());
        Socket first = socket(own);
        Socket second = socket(own)) {
      String body = "{\"prompt\": \"a\", \"max_tokens\": 2000, \"stream\": true, \"n\": %d}";
      raw(first, "/v1/completions", body.formatted(50)); // for much longer than the test
      assertThat(first.getInputStream().read()).isEqualTo('H');
      raw(second, "/v1/completions", body.formatted(1));
      InputStream in = second.getInputStream();
      StringBuilder heard = new StringBuilder();
      while (heard.indexOf("\r\n:\n\n\r\n") < 0) {
        int next = in.read();
        assertThat(next).isPositive();
        heard.append((char) next);
      }
      assertThat(heard).doesNotContain("data:");
    }
  }

  @Test
  void aBodyThatIsTooLargeIsAnswered() {
    error(post("/v1/completions", "x".repeat(MAX_BODY + 1)), 413, "request_too_large");
    error(post("/v1/completions", "x".repeat(MAX_BODY + 300_000)), 413, "request_too_large");
    byte[] large = new byte[MAX_BODY + 100_000];
    error(
        send(
            to(server, "/tokenize")
                .POST(
                    BodyPublishers.ofInputStream( // in chunks, of no length that is told before
                        () -> new java.io.ByteArrayInputStream(large)))),
        413,
        "request_too_large");
  }

  @Test
  void onlyWhoHasTheTokenIsAnswered() {
    try (ModelServer own = start(ROOM, Optional.of("secret-1"))) {
      HttpResponse<String> none = get(own, "/v1/models");
      error(none, 401, "invalid_api_key");
      assertThat(none.headers().firstValue("WWW-Authenticate")).contains("Bearer");
      for (String wrong : List.of("Bearer secret-2", "Bearer", "secret-1", "Basic secret-1")) {
        error(send(to(own, "/v1/models").header("Authorization", wrong)), 401, "invalid_api_key");
      }
      error(get(own, "/metrics"), 401, "invalid_api_key");
      error(get(own, "/nothing"), 401, "invalid_api_key");
      assertThat(get(own, "/health").statusCode()).isEqualTo(200);
      HttpResponse<String> right =
          send(to(own, "/v1/models").header("Authorization", "Bearer secret-1"));
      assertThat(right.statusCode()).isEqualTo(200);
      JsonNode models = json(right.body());
      assertThat(models.path("object").asText()).isEqualTo("list");
      assertThat(keys(models.at("/data/0"))).containsExactly("id", "object", "created", "owned_by");
      assertThat(models.at("/data/0/id").asText()).isEqualTo("tiny");
      assertThat(models.at("/data/0/object").asText()).isEqualTo("model");
    }
  }

  @Test
  void textBecomesTokensAndTextAgain() {
    JsonNode tokens = answer("/tokenize", "{'model': 'tiny', 'prompt': 'né'}");
    assertThat(tokens.toString())
        .isEqualTo("{\"count\":3,\"max_model_len\":2048,\"tokens\":[110,195,169]}");
    assertThat(answer("/detokenize", "{'tokens': [110, 195, 169]}").toString())
        .isEqualTo("{\"prompt\":\"né\"}");
    error(post("/detokenize", "{'tokens': 'a'}"), 400, "null");
    error(post("/tokenize", "{'text': 'a'}"), 400, "null");
  }

  private static double metric(ModelServer of, String name) {
    return get(of, "/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
        .findFirst()
        .orElse(0);
  }

  @Test
  void metricsAreInPrometheusFormat() {
    answer("/v1/completions", "{'prompt': 'a', 'max_tokens': 3, 'ignore_eos': true}");
    HttpResponse<String> response = get(server, "/metrics");
    assertThat(response.headers().firstValue("Content-Type").orElseThrow())
        .startsWith("text/plain; version=0.0.4");
    Pattern sample =
        Pattern.compile(
            "([a-z_]+)(\\{[a-z_]+=\"[^\"]*\"(,[a-z_]+=\"[^\"]*\")*})? (\\+Inf|[-0-9.E]+)");
    Map<String, String> types = new TreeMap<>();
    for (String line : response.body().lines().toList()) {
      if (line.startsWith("# TYPE ")) {
        String[] words = line.split(" ");
        assertThat(types.put(words[2], words[3])).isNull();
      } else if (!line.startsWith("# HELP ")) {
        Matcher parts = sample.matcher(line);
        assertThat(parts.matches()).as(line).isTrue();
        String family = parts.group(1).replaceAll("_(bucket|sum|count)$", "");
        assertThat(types).containsKey(family);
      }
    }
    assertThat(types)
        .containsEntry("gossamer_requests_total", "counter")
        .containsEntry("gossamer_time_to_first_token_seconds", "histogram")
        .containsEntry("gossamer_inter_token_seconds", "histogram")
        .containsEntry("gossamer_cache_tokens_reserved", "gauge")
        .containsEntry("gossamer_texts_waiting", "gauge")
        .containsEntry("gossamer_expert_rows_total", "counter")
        .containsEntry("gossamer_expert_max_violation", "gauge");
    assertThat(metric(server, "gossamer_requests_total{code=\"200\",path=\"/v1/completions\"}"))
        .isGreaterThanOrEqualTo(1);
  }

  @Test
  void whenAllWantToComeNoneIsLost() {
    try (ModelServer own = start(new EngineSettings(4, 2048, 8, 64), Optional.empty())) {
      String expected = alone("The sea", SamplingSettings.GREEDY, 12);
      String body =
          "{\"prompt\": \"The sea\", \"max_tokens\": 12, \"temperature\": 0, \"ignore_eos\": true}";
      List<CompletableFuture<HttpResponse<String>>> answers =
          IntStream.range(0, 200)
              .mapToObj(
                  i ->
                      client.sendAsync(
                          posting(own, "/v1/completions", body).build(), BodyHandlers.ofString()))
              .toList();
      int whole = 0;
      for (CompletableFuture<HttpResponse<String>> answer : answers) {
        HttpResponse<String> response = answer.join();
        if (response.statusCode() == 200) {
          assertThat(json(response.body()).at("/choices/0/text").asText()).isEqualTo(expected);
          whole++;
        } else {
          error(response, 429, "queue_full");
          assertThat(json(response.body()).at("/error/type").asText())
              .isEqualTo("rate_limit_error");
          assertThat(Integer.parseInt(response.headers().firstValue("Retry-After").orElseThrow()))
              .isBetween(1, 60);
        }
      }
      assertThat(whole).isBetween(12, 200);
      String requests = "gossamer_requests_total{code=\"%d\",path=\"/v1/completions\"}";
      assertThat(metric(own, requests.formatted(200))).isEqualTo(whole);
      assertThat(metric(own, requests.formatted(429))).isEqualTo(200 - whole);
      assertThat(own.texts()).isZero();
    }
  }

  @Test
  void healthIsAnsweredWhileAllPlacesAreTaken() throws Exception {
    try (ModelServer own = start(new EngineSettings(1, 2048, 3, 64), Optional.empty())) {
      List<Socket> sockets = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Socket socket = socket(own);
        sockets.add(socket);
        raw(
            socket,
            "/v1/completions",
            "{\"prompt\": \"a\", \"max_tokens\": 2000, \"stream\": true, \"ignore_eos\": true}");
        assertThat(socket.getInputStream().read()).isEqualTo('H');
      }
      HttpResponse<String> health = get(own, "/health");
      assertThat(health.statusCode()).isEqualTo(200);
      assertThat(health.body()).isEqualTo("{\"status\":\"ok\"}");
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  @Test
  void whatRunsIsFinishedBeforeTheEnd() throws Exception {
    ModelServer own = start(new EngineSettings(1, 2048, 3, 64), Optional.empty());
    try (own;
        Socket socket = socket(own)) {
      raw(
          socket,
          "/v1/completions",
          "{\"prompt\": \"a\", \"max_tokens\": 300, \"stream\": true, \"ignore_eos\": true}");
      InputStream in = socket.getInputStream();
      assertThat(in.read()).isEqualTo('H');
      assertThat(own.stop(GRACE)).isZero();
      HttpResponse<String> health = get(own, "/health");
      assertThat(health.statusCode()).isEqualTo(503);
      assertThat(health.body()).isEqualTo("{\"status\":\"draining\"}");
      error(send(posting(own, "/v1/completions", "{\"prompt\": \"a\"}")), 503, "server_stopping");
      own.close();
      String rest = new String(in.readAllBytes(), UTF_8);
      assertThat(rest).contains("\"finish_reason\":\"length\"").contains("data: [DONE]\n\n");
    }
  }

  @Test
  void whatTakesLongerThanTheGraceIsGivenUp() throws Exception {
    ModelServer own = start(new EngineSettings(1, 2048, 3, 64), Optional.empty());
    try (own;
        Socket socket = socket(own)) {
      String endless = "{\"prompt\": \"a\", \"max_tokens\": 2000, \"ignore_eos\": true%s}";
      raw(socket, "/v1/completions", endless.formatted(", \"stream\": true"));
      InputStream in = socket.getInputStream();
      assertThat(in.read()).isEqualTo('H');
      CompletableFuture<HttpResponse<String>> waits =
          client.sendAsync(
              posting(own, "/v1/completions", endless.formatted("")).build(),
              BodyHandlers.ofString());
      while (own.texts() < 2) {
        Thread.onSpinWait();
      }
      assertThat(own.stop(Duration.ofMillis(1))).isEqualTo(2);
      error(waits.join(), 503, "server_stopping");
      own.close();
      String rest = new String(in.readAllBytes(), UTF_8);
      assertThat(rest).contains("data: {\"error\":{").contains("server_stopping");
      assertThat(rest).doesNotContain("[DONE]");
    }
  }

  @Test
  void aPortThatIsTakenIsNamed() {
    int port = URI.create(server.url()).getPort();
    assertThatThrownBy(
            () -> new ModelServer(new ServerSettings("127.0.0.1", port, Optional.empty(), 1)))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("127.0.0.1:" + port + ": the port is in use");
    assertThatThrownBy(
            () -> new ModelServer(new ServerSettings("no.such.invalid", 0, Optional.empty(), 1)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no host 'no.such.invalid'");
    assertThatThrownBy(
            () -> new ModelServer(new ServerSettings("192.0.2.1", 0, Optional.empty(), 1)))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("Use an address of this machine");
  }

  @Test
  @Tag("slow")
  void aThousandRequestsLeaveNothingBehind() {
    hundredRequests(); // classes, threads, connections
    hundredRequests();
    long tensors = Tensor.live();
    long heap = heap();
    for (int i = 0; i < 10; i++) {
      hundredRequests();
    }
    assertThat(Tensor.live()).isEqualTo(tensors);
    assertThat(heap() - heap).isLessThan(4L << 20);
  }

  private static void hundredRequests() {
    List<CompletableFuture<HttpResponse<String>>> answers =
        Stream.iterate(0, i -> i + 1)
            .limit(100)
            .map(
                i ->
                    posting(
                        server,
                        i % 2 == 0 ? "/v1/completions" : "/v1/chat/completions",
                        i % 2 == 0
                            ? "{\"prompt\": \"sea\", \"max_tokens\": 3, \"logprobs\": 2}"
                            : "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}],"
                                + " \"max_tokens\": 2, \"stream\": true}"))
            .map(request -> client.sendAsync(request.build(), BodyHandlers.ofString()))
            .toList();
    answers.forEach(answer -> assertThat(answer.join().statusCode()).isIn(200, 429));
  }

  private static long heap() {
    for (int i = 0; i < 4; i++) {
      System.gc();
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
