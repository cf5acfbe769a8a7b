package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/** A request that gets an error for an answer, in the form of OpenAI's interface. */
final class ApiError extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final String INVALID = "invalid_request_error";

  private final int status;
  private final String type;
  private final String param;
  private final String code;
  private final transient Map<String, String> headers;

  /**
   * @param param which field is meant; may be null, as in the answer
   * @param code what a program may look at; may be null
   */
  private ApiError(
      int status,
      String message,
      String type,
      String param,
      String code,
      Map<String, String> headers) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
    this.code = code;
    this.headers = headers;
  }

  /** A field that is not as it should be. */
  static ApiError field(String param, String message) {
    return new ApiError(400, message, INVALID, param, null, Map.of());
  }

  /** Fields that would change the result, were they known. */
  static ApiError unsupported(String param, String message) {
    return new ApiError(400, message, INVALID, param, "unsupported_parameter", Map.of());
  }

  /** A body that is no request. */
  static ApiError body(String message) {
    return new ApiError(400, message, INVALID, null, "invalid_json", Map.of());
  }

  static ApiError tooLong(String param, String message) {
    return new ApiError(400, message, INVALID, param, "context_length_exceeded", Map.of());
  }

  static ApiError unauthorized() {
    return new ApiError(
        401,
        "The token is missing or wrong. Send the header Authorization: Bearer TOKEN",
        INVALID,
        null,
        "invalid_api_key",
        Map.of("WWW-Authenticate", "Bearer"));
  }

  static ApiError noSuchModel(String asked, String served) {
    return new ApiError(
        404,
        "There is no model '" + asked + "' here. Ask for '" + served + "'",
        INVALID,
        "model",
        "model_not_found",
        Map.of());
  }

  static ApiError noSuchPath(String path) {
    return new ApiError(
        404,
        "There is nothing at "
            + path
            + ". There are /v1/completions, /v1/chat/completions, /v1/models, /tokenize,"
            + " /detokenize, /health and /metrics",
        INVALID,
        null,
        "unknown_url",
        Map.of());
  }

  /**
   * @param allowed methods, as the header names them
   */
  static ApiError method(String method, String path, String allowed) {
    return new ApiError(
        405,
        path + " takes no " + method + ". Use " + allowed,
        INVALID,
        null,
        "method_not_allowed",
        Map.of("Allow", allowed));
  }

  static ApiError tooLarge(long limit) {
    return new ApiError(
        413,
        "The body is larger than " + limit + " bytes. Send less at once",
        INVALID,
        null,
        "request_too_large",
        Map.of("Connection", "close"));
  }

  /** What the engine did not take. */
  static ApiError of(RefusedException e) {
    if (e.reason() == RefusedException.Reason.ENDING) {
      return ending(e.getMessage());
    }
    return new ApiError(
        429, e.getMessage(), "rate_limit_error", null, "queue_full", retryAfter(e.again()));
  }

  static ApiError ending(String message) {
    return new ApiError(
        503, message, "server_error", null, "server_stopping", retryAfter(Duration.ofSeconds(1)));
  }

  private static Map<String, String> retryAfter(Duration again) {
    return Map.of("Retry-After", String.valueOf(again.toSeconds()));
  }

  static ApiError failed(String message) {
    return new ApiError(500, message, "server_error", null, null, Map.of());
  }

  /** A failure of ours: the request's fault, or the server's. */
  static ApiError of(GossamerException e) {
    return e instanceof UsageException ? field(null, e.getMessage()) : failed(e.getMessage());
  }

  int status() {
    return status;
  }

  /** Headers that go with it. */
  Map<String, String> headers() {
    return Optional.ofNullable(headers).orElse(Map.of());
  }

  ObjectNode json() {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    ObjectNode error = root.putObject("error");
    error.put("message", getMessage());
    error.put("type", type);
    error.put("param", param);
    error.put("code", code);
    return root;
  }
}
