package dev.gossamer.bench.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Clients of a server that speaks OpenAI's interface; each has one request under way and reads its
 * answer as a stream.
 */
final class Clients {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration CONNECT = Duration.ofSeconds(10);

  /** Until an answer begins; a server with a long queue may need a while. */
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private static final String DATA = "data: ";

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT).build();
  private final String url;
  private final Optional<String> token;
  private final String model;

  /**
   * Asks the server what its model is called.
   *
   * @param url of the interface, ending in {@code /v1}
   * @throws EnvironmentException if nobody answers there
   */
  Clients(String url, Optional<String> token) {
    this.url = url.replaceAll("/+$", "");
    this.token = token;
    this.model = read(to("/models")).at("/data/0/id").asText();
  }

  private HttpRequest.Builder to(String path) {
    try {
      HttpRequest.Builder request =
          HttpRequest.newBuilder(URI.create(url + path)).timeout(PATIENCE);
      token.ifPresent(word -> request.header("Authorization", "Bearer " + word));
      return request.header("Content-Type", "application/json");
    } catch (IllegalArgumentException e) {
      throw new EnvironmentException(
          "There is no server at " + url, "Name its address, as serve prints it", e);
    }
  }

  private JsonNode read(HttpRequest.Builder request) {
    try {
      HttpResponse<String> response = http.send(request.build(), BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new EnvironmentException(
            "The server at " + url + " answers with status " + response.statusCode(),
            "Name the address as serve prints it, and the token if it wants one");
      }
      return JSON.readTree(response.body());
    } catch (IOException e) {
      throw new EnvironmentException(
          "No server answers at " + url + ": " + reason(e), "Start one, or name its address", e);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static String reason(IOException e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }

  private static GossamerException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new GossamerException("The clients were interrupted", "", e);
  }

  /** The tokens of a text, as the server has them. */
  int[] tokens(String text) {
    ObjectNode body = JSON.createObjectNode();
    body.put("model", model).put("prompt", text).put("add_special_tokens", false);
    String root = url.endsWith("/v1") ? url.substring(0, url.length() - 3) : url;
    HttpRequest.Builder request = to("").uri(URI.create(root + "/tokenize"));
    JsonNode answer = read(request.POST(BodyPublishers.ofString(body.toString())));
    int[] ids = new int[answer.path("tokens").size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = answer.path("tokens").get(i).asInt();
    }
    return ids;
  }

  /**
   * Asks for all prompts to be continued, and returns when all are.
   *
   * @param atOnce how many are under way
   */
  Load ask(List<int[]> prompts, int generate, int atOnce) {
    List<String> bodies = prompts.stream().map(prompt -> body(prompt, generate)).toList();
    AtomicInteger next = new AtomicInteger();
    ExecutorService threads = Executors.newFixedThreadPool(atOnce);
    try {
      List<Future<Load>> clients = new ArrayList<>();
      for (int i = 0; i < atOnce; i++) {
        clients.add(
            threads.submit(
                () -> {
                  Load own = Load.NONE;
                  for (int at = next.getAndIncrement();
                      at < bodies.size();
                      at = next.getAndIncrement()) {
                    own = own.and(ask(bodies.get(at), generate));
                  }
                  return own;
                }));
      }
      Load all = Load.NONE;
      for (Future<Load> client : clients) {
        all = all.and(client.get());
      }
      return all;
    } catch (ExecutionException e) {
      throw new GossamerException("A client failed: " + e.getCause(), "", e);
    } catch (InterruptedException e) {
      throw interrupted(e);
    } finally {
      threads.shutdownNow();
    }
  }

  private String body(int[] prompt, int generate) {
    ObjectNode body = JSON.createObjectNode();
    body.put("model", model).put("max_tokens", generate).put("temperature", 0);
    body.put("ignore_eos", true).put("stream", true);
    body.putObject("stream_options").put("include_usage", true);
    ArrayNode ids = body.putArray("prompt");
    for (int id : prompt) {
      ids.add(id);
    }
    return body.toString();
  }

  private Load ask(String body, int generate) throws InterruptedException {
    HttpRequest request = to("/completions").POST(BodyPublishers.ofString(body)).build();
    long begin = System.nanoTime();
    List<Long> pieces = new ArrayList<>();
    long tokens = 0;
    try {
      HttpResponse<InputStream> response = http.send(request, BodyHandlers.ofInputStream());
      try (BufferedReader lines =
          new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          if (!line.startsWith(DATA + "{")) {
            continue;
          }
          long now = System.nanoTime();
          JsonNode event = JSON.readTree(line.substring(DATA.length()));
          tokens = event.at("/usage/completion_tokens").asLong(tokens);
          if (!event.at("/choices/0/text").asText().isEmpty()) {
            pieces.add(now);
          }
        }
      }
      return response.statusCode() == 200
          ? Load.of(begin, pieces, tokens, generate)
          : Load.failed();
    } catch (IOException e) {
      return Load.failed();
    }
  }
}
