package dev.gossamer.lm.serve;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * An answer as server-sent events, each of which leaves at once. Writing fails once the client has
 * gone, which is the only way to notice.
 */
final class EventStream implements AutoCloseable {
  private final OutputStream out;

  EventStream(OutputStream out) {
    this.out = out;
  }

  void event(JsonNode json) throws IOException {
    send("data: " + json + "\n\n");
  }

  /** A line that means nothing, to see whether the client is still there. */
  void comment() throws IOException {
    send(":\n\n");
  }

  void done() throws IOException {
    send("data: [DONE]\n\n");
  }

  private void send(String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  @Override
  public void close() throws IOException {
    out.close();
  }
}
