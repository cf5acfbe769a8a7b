package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.gossamer.lm.LanguageModel;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.Words;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves one model over HTTP, as OpenAI's interface describes it: {@code /v1/completions}, {@code
 * /v1/chat/completions}, {@code /v1/models}, besides {@code /tokenize}, {@code /detokenize}, {@code
 * /health} and {@code /metrics}. The JDK's own server carries it; a thread waits for each request
 * that is being answered, and there are some more, so that {@code /health} is answered while all
 * texts that there may be are waited for.
 */
public final class ModelServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ModelServer.class);
  private static final int SPARE_THREADS = 32;
  private static final int BACKLOG = 1024;
  private static final Duration LAST_WORDS = Duration.ofSeconds(2);
  private static final Duration GLANCE = Duration.ofMillis(100);
  private static final Duration IDLE_THREAD = Duration.ofSeconds(30);

  private static final String OWNER = "gossamer";
  private static final String HEALTH = "/health";
  private static final String MODELS = "/v1/models";

  private final ServerSettings settings;
  private final HttpServer http;
  private final ServerMetrics metrics = new ServerMetrics();
  private final Map<String, Map<String, Route>> routes = new TreeMap<>();
  private final Object changed = new Object();
  private final long created = Instant.now().getEpochSecond();
  private int answering; // guarded by changed
  private ThreadPoolExecutor threads;
  private Engine engine;

  private interface Route {
    void answer(Call call) throws IOException, InterruptedException;
  }

  /**
   * Takes the port; nothing is answered before {@link #start}.
   *
   * @throws EnvironmentException if it cannot be had
   */
  public ModelServer(ServerSettings settings) {
    this.settings = settings;
    limit("sun.net.httpserver.maxReqTime", 30); // seconds for a request to come
    limit("sun.net.httpserver.idleInterval", 120); // seconds that an idle connection is kept
    limit("jdk.httpserver.maxConnections", 4096);
    if (System.getProperty("sun.net.httpserver.nodelay") == null) {
      System.setProperty("sun.net.httpserver.nodelay", "true"); // events are small
    }
    this.http = listen(settings);
  }

  /** Limits of the JDK's server are read once for the process; one that was set stays. */
  private static void limit(String property, int value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, String.valueOf(value));
    }
  }

  private static HttpServer listen(ServerSettings settings) {
    String where = settings.host() + ":" + settings.port();
    try {
      InetAddress host = InetAddress.getByName(settings.host());
      return HttpServer.create(new InetSocketAddress(host, settings.port()), BACKLOG);
    } catch (UnknownHostException e) {
      throw new UsageException(
          "Cannot listen on " + where + ": no host '" + settings.host() + "' is known",
          "Use 127.0.0.1, or 0.0.0.0 for all addresses",
          e);
    } catch (BindException e) {
      boolean used = String.valueOf(e.getMessage()).contains("in use");
      throw new EnvironmentException(
          "Cannot listen on " + where + ": " + (used ? "the port is in use" : e.getMessage()),
          used ? "Use another port; 0 takes any that is free" : "Use an address of this machine",
          e);
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot listen on " + where + ": " + e.getMessage(),
          "Use another port; 0 takes any that is free",
          e);
    }
  }

  /** The address of the interface, for example {@code http://127.0.0.1:8000/v1}. */
  public String url() {
    String host = settings.host(); // an address that stands for all has more than one writing
    return "http://"
        + (host.contains(":") ? "[" + host + "]" : host)
        + ":"
        + http.getAddress().getPort()
        + "/v1";
  }

  /**
   * Begins to answer.
   *
   * @param name by which clients ask for the model
   * @param model used by this server alone from now on; not closed with it
   * @param tokenizer not closed with it
   */
  public void start(
      String name, LanguageModel model, TextTokenizer tokenizer, EngineSettings work) {
    engine = new Engine(model, tokenizer, work, metrics);
    AtomicInteger number = new AtomicInteger();
    int most = work.most() + SPARE_THREADS;
    threads =
        new ThreadPoolExecutor(
            most,
            most,
            IDLE_THREAD.toSeconds(),
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "gossamer-http-" + number.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
    threads.allowCoreThreadTimeOut(true);
    Generation generation = new Generation(name, model.settings(), tokenizer, engine);
    TokenRoutes words = new TokenRoutes(model.settings(), tokenizer);
    int maxBody = settings.maxBody();
    route("POST", "/v1/completions", call -> generation.complete(call, call.body(maxBody)));
    route("POST", "/v1/chat/completions", call -> generation.chat(call, call.body(maxBody)));
    route("GET", MODELS, call -> call.answer(models(name)));
    route("GET", MODELS + "/" + name, call -> call.answer(model(name)));
    route("POST", "/tokenize", call -> call.answer(words.tokenize(call.body(maxBody))));
    route("POST", "/detokenize", call -> call.answer(words.detokenize(call.body(maxBody))));
    route("GET", HEALTH, this::health);
    route("GET", "/metrics", call -> call.answer(200, metrics.contentType(), metrics.text()));
    http.setExecutor(threads);
    http.createContext("/", this::handle);
    http.start();
  }

  private void route(String method, String path, Route route) {
    routes.computeIfAbsent(path, any -> new TreeMap<>()).put(method, route);
  }

  private void handle(HttpExchange exchange) {
    String path = exchange.getRequestURI().getPath();
    String label = path != null && routes.containsKey(path) ? path : "other";
    answering(1);
    try (exchange) {
      Call call = new Call(exchange, status -> metrics.request(label, status));
      try {
        route(call, path).answer(call);
      } catch (ApiError e) {
        call.answer(e);
      } catch (RefusedException e) {
        call.answer(ApiError.of(e));
      } catch (GossamerException e) {
        call.answer(ApiError.of(e));
      } catch (RuntimeException | OutOfMemoryError e) {
        LOG.error("{} could not be answered", label, e);
        call.answer(ApiError.failed("The server failed; its log says why"));
      }
    } catch (IOException e) {
      metrics.disconnect(); // nobody is there to be answered
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      answering(-1);
    }
  }

  private Route route(Call call, String path) {
    if (settings.token().isPresent()
        && !HEALTH.equals(path)
        && !call.carries(settings.token().get())) {
      throw ApiError.unauthorized();
    }
    Map<String, Route> methods = path == null ? null : routes.get(path);
    if (methods == null) {
      if (path != null && path.startsWith(MODELS + "/")) {
        throw ApiError.noSuchModel(path.substring(MODELS.length() + 1), "see " + MODELS);
      }
      throw ApiError.noSuchPath(String.valueOf(path));
    }
    Route route = methods.get(call.method());
    if (route == null) {
      throw ApiError.method(call.method(), path, String.join(", ", methods.keySet()));
    }
    return route;
  }

  private ObjectNode models(String name) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("object", "list");
    ArrayNode models = root.putArray("data");
    models.add(model(name));
    return root;
  }

  private ObjectNode model(String name) {
    ObjectNode model = JsonNodeFactory.instance.objectNode();
    model.put("id", name);
    model.put("object", "model");
    model.put("created", created);
    model.put("owned_by", OWNER);
    return model;
  }

  private void health(Call call) throws IOException {
    Engine.State state = engine.state();
    String word = Words.of(state);
    byte[] body = ("{\"status\":\"" + word + "\"}").getBytes(StandardCharsets.UTF_8);
    call.answer(state == Engine.State.OK ? 200 : 503, "application/json", body);
  }

  /** Whether only programs on this machine can reach it. */
  public boolean isLocal() {
    return http.getAddress().getAddress().isLoopbackAddress();
  }

  /** Texts that are being continued or wait. */
  public int texts() {
    return engine.running() + engine.waiting();
  }

  /**
   * Waits until it is asked to end.
   *
   * @throws GossamerException if it has met what it cannot go on after
   */
  public void awaitEnd(BooleanSupplier asked) throws InterruptedException {
    while (!asked.getAsBoolean()) {
      throwFailure();
      synchronized (changed) {
        changed.wait(GLANCE.toMillis());
      }
    }
  }

  /**
   * Takes no further text, and ends when those that are there have ended, or have been given up.
   *
   * @param grace how long they may go on
   * @return how many were given up
   * @throws GossamerException if it has met what it cannot go on after
   */
  public int stop(Duration grace) throws InterruptedException {
    engine.drain();
    boolean idle = engine.awaitIdle(grace);
    int left = idle ? 0 : texts();
    engine.close();
    awaitAnswers();
    throwFailure();
    return left;
  }

  private void throwFailure() throws InterruptedException {
    if (engine.failure().isPresent()) {
      engine.close();
      awaitAnswers(); // each is told
      throw engine.failure().get();
    }
  }

  private void answering(int more) {
    synchronized (changed) {
      answering += more;
      changed.notifyAll();
    }
  }

  private void awaitAnswers() throws InterruptedException {
    long end = System.nanoTime() + LAST_WORDS.toNanos();
    synchronized (changed) {
      long left = LAST_WORDS.toMillis();
      while (answering > 0 && left > 0) {
        changed.wait(left);
        left = (end - System.nanoTime()) / 1_000_000;
      }
    }
  }

  /** Ends at once; closing twice does nothing. */
  @Override
  public void close() {
    if (engine != null) {
      engine.close();
    }
    http.stop(0);
    if (threads != null) {
      threads.shutdownNow();
    }
  }
}
