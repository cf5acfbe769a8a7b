package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Optional;
import java.util.function.IntConsumer;

/** One request and its answer; used by the thread that answers. */
final class Call {
  private static final String JSON = "application/json";
  private static final String BEARER = "Bearer ";
  private static final int MOST_UNREAD = 8 << 20;

  private final HttpExchange exchange;
  private final IntConsumer answered;
  private Optional<OutputStream> begun = Optional.empty(); // a body whose status has been sent

  /**
   * @param answered is told the status of the answer
   */
  Call(HttpExchange exchange, IntConsumer answered) {
    this.exchange = exchange;
    this.answered = answered;
  }

  String method() {
    return exchange.getRequestMethod();
  }

  String path() {
    return exchange.getRequestURI().getPath();
  }

  /** Whether it carries a token; as long for a wrong one as for the right one. */
  boolean carries(String token) {
    String header =
        Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization")).orElse("");
    boolean bearer = header.regionMatches(true, 0, BEARER, 0, BEARER.length());
    String given = bearer ? header.substring(BEARER.length()).strip() : "";
    return MessageDigest.isEqual(digest(given), digest(token));
  }

  private static byte[] digest(String text) {
    try {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The whole body.
   *
   * @throws ApiError if it is longer than allowed; enough of the rest is read for the client to
   *     come to see the answer
   */
  byte[] body(int limit) throws IOException {
    InputStream in = exchange.getRequestBody();
    byte[] body = in.readNBytes(limit + 1);
    if (body.length > limit) {
      byte[] buffer = new byte[1 << 16];
      int count = 0;
      for (int left = MOST_UNREAD; left > 0 && count >= 0; left -= count) {
        count = in.read(buffer);
      }
      throw ApiError.tooLarge(limit);
    }
    return body;
  }

  void answer(JsonNode json) throws IOException {
    answer(200, JSON, json.toString().getBytes(StandardCharsets.UTF_8));
  }

  void answer(ApiError error) throws IOException {
    error.headers().forEach(exchange.getResponseHeaders()::set);
    answer(error.status(), JSON, error.json().toString().getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Tells a client that waits for JSON that it is being made: the first time by the status, which
   * is 200 whatever will come of it, and each time by a line break, as JSON may have before it. It
   * fails once the client has gone, which is the only way to notice.
   */
  void keepWaiting() throws IOException {
    if (begun.isEmpty()) {
      begun = Optional.of(begin(JSON));
    }
    begun.get().write('\n');
    begun.get().flush();
  }

  /** Answers; if the status has been sent already, by what is left, the body. */
  void answer(int status, String type, byte[] body) throws IOException {
    if (begun.isPresent()) {
      try (OutputStream out = begun.get()) {
        out.write(body);
      }
      return;
    }
    exchange.getResponseHeaders().set("Content-Type", type);
    answered.accept(status);
    if (method().equals("HEAD")) {
      exchange.sendResponseHeaders(status, -1);
      return;
    }
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(body);
    }
  }

  /** Begins an answer of events, to be closed by the caller. */
  EventStream events() throws IOException {
    exchange.getResponseHeaders().set("Cache-Control", "no-cache");
    return new EventStream(begin("text/event-stream"));
  }

  /** A body of a length that nobody knows yet. */
  private OutputStream begin(String type) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.getResponseHeaders().set("X-Accel-Buffering", "no"); // of proxies
    answered.accept(200);
    exchange.sendResponseHeaders(200, 0);
    return exchange.getResponseBody();
  }
}
