package dev.gossamer.lm.serve;

import dev.gossamer.lm.train.LoadBalance;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
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
  private final Counter expertRows =
      Counter.builder()
          .name("gossamer_expert_rows_total")
          .help("Rows that each expert of a layer took.")
          .labelNames("layer", "expert")
          .register(registry);
  private final Gauge violation =
      Gauge.builder()
          .name("gossamer_expert_max_violation")
          .help("The fullest expert's rows over an even share, less 1, in the last step.")
          .labelNames("layer")
          .register(registry);

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

  void load(int layer, int[] rows) {
    String name = String.valueOf(layer);
    for (int expert = 0; expert < rows.length; expert++) {
      if (rows[expert] > 0) {
        expertRows.labelValues(name, String.valueOf(expert)).inc(rows[expert]);
      }
    }
    violation
        .labelValues(name)
        .set(LoadBalance.of(List.of(Arrays.stream(rows).asLongStream().toArray())).worst());
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
