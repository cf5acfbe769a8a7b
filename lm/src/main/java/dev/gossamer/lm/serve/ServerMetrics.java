package dev.gossamer.lm.serve;

import dev.gossamer.lm.train.LoadBalance;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.DoubleSupplier;

/** What a server counts, in Prometheus' text format. May be used from several threads. */
final class ServerMetrics {
  private static final double[] SECONDS = {
    .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60
  };

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();
  private final Counter requests =
      Counter.builder()
          .name("gossamer_requests_total")
          .help("Requests that were answered.")
          .labelNames("path", "code")
          .register(registry);
  private final Counter disconnects =
      Counter.builder()
          .name("gossamer_disconnects_total")
          .help("Requests whose client had gone before the answer's end.")
          .register(registry);
  private final Counter promptTokens =
      Counter.builder()
          .name("gossamer_prompt_tokens_total")
          .help("Tokens of prompts that were read.")
          .register(registry);
  private final Counter newTokens =
      Counter.builder()
          .name("gossamer_generated_tokens_total")
          .help("Tokens that were chosen.")
          .register(registry);
  private final Counter texts =
      Counter.builder()
          .name("gossamer_texts_total")
          .help("Texts that ended, by why.")
          .labelNames("finish")
          .register(registry);
  private final Histogram firstToken =
      seconds(
          "gossamer_time_to_first_token_seconds",
          "From a text's submission until its first token was chosen.");
  private final Histogram betweenTokens =
      seconds("gossamer_inter_token_seconds", "Between two tokens of a text.");
  private final Histogram steps = seconds("gossamer_step_seconds", "A pass of the model.");
  private final Map<Integer, long[]> expertRows = new TreeMap<>(); // by layer
  private final Map<Integer, Double> violations = new TreeMap<>();

  ServerMetrics() {
    CounterWithCallback.builder()
        .name("gossamer_expert_rows_total")
        .help("Rows that each expert of a layer took.")
        .labelNames("layer", "expert")
        .callback(this::tellExpertRows)
        .register(registry);
    GaugeWithCallback.builder()
        .name("gossamer_expert_max_violation")
        .help("The fullest expert's rows over an even share, less 1, in the last step.")
        .labelNames("layer")
        .callback(this::tellViolations)
        .register(registry);
  }

  private void tellExpertRows(CounterWithCallback.Callback callback) {
    synchronized (expertRows) {
      expertRows.forEach(
          (layer, rows) -> {
            for (int expert = 0; expert < rows.length; expert++) {
              callback.call(rows[expert], String.valueOf(layer), String.valueOf(expert));
            }
          });
    }
  }

  private void tellViolations(GaugeWithCallback.Callback callback) {
    synchronized (expertRows) {
      violations.forEach((layer, violation) -> callback.call(violation, String.valueOf(layer)));
    }
  }

  private Histogram seconds(String name, String help) {
    return Histogram.builder()
        .name(name)
        .help(help)
        .classicOnly()
        .classicUpperBounds(SECONDS)
        .register(registry);
  }

  /** Shows a value as it is when it is asked for. */
  void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> callback.call(value.getAsDouble()))
        .register(registry);
  }

  void request(String path, int code) {
    requests.labelValues(path, String.valueOf(code)).inc();
  }

  void disconnect() {
    disconnects.inc();
  }

  void read(int tokens) {
    promptTokens.inc(tokens);
  }

  /** A text's first token was chosen. */
  void first(double secondsSinceSubmission) {
    newTokens.inc();
    firstToken.observe(secondsSinceSubmission);
  }

  /** A further one. */
  void further(double secondsSinceToken) {
    newTokens.inc();
    betweenTokens.observe(secondsSinceToken);
  }

  void ended(String finish) {
    texts.labelValues(finish).inc();
  }

  void step(double seconds) {
    steps.observe(seconds);
  }

  /** A step divided its rows among a layer's experts. */
  void load(int layer, int[] rows) {
    long[] now = Arrays.stream(rows).asLongStream().toArray();
    double violation = LoadBalance.of(List.of(now)).worst();
    synchronized (expertRows) {
      violations.put(layer, violation);
      long[] sums = expertRows.computeIfAbsent(layer, any -> new long[rows.length]);
      Arrays.setAll(sums, expert -> sums[expert] + now[expert]);
    }
  }

  String contentType() {
    return writer.getContentType();
  }

  byte[] text() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      writer.write(out, registry.scrape());
    } catch (IOException e) {
      throw new UncheckedIOException(e); // not of memory
    }
    return out.toByteArray();
  }
}
