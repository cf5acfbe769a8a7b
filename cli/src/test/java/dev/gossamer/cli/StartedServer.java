package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/** A server of this process. */
record StartedServer(
    String url,
    AtomicBoolean interrupted,
    CompletableFuture<Integer> exit,
    ByteArrayOutputStream err) {
  static StartedServer with(String... options) throws IOException {
    PipedInputStream reading = new PipedInputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Terminal terminal =
        new Terminal(
            new PrintStream(new PipedOutputStream(reading), true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            false);
    AtomicBoolean interrupted = new AtomicBoolean();
    String[] args =
        Stream.of(new String[] {"serve", "--port", "0", "--threads", "1"}, options)
            .flatMap(Stream::of)
            .toArray(String[]::new);
    CompletableFuture<Integer> exit =
        CompletableFuture.supplyAsync(() -> Gossamer.run(terminal, interrupted::get, args));
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(reading, StandardCharsets.UTF_8));
    return new StartedServer(lines.readLine(), interrupted, exit, err);
  }

  /**
   * @return what it said on stderr
   */
  String stop() throws Exception {
    interrupted.set(true);
    assertThat(exit.get(60, TimeUnit.SECONDS)).isEqualTo(130);
    return err.toString(StandardCharsets.UTF_8);
  }
}
