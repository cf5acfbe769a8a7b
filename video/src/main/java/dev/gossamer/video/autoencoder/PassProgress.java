package dev.gossamer.video.autoencoder;

import dev.gossamer.tensor.failure.InterruptedRunException;

/** Counts the chunks of one pass over a video, and stops it when the caller wants that. */
final class PassProgress {
  private final CodecOptions options;
  private final String doing;
  private final long total;
  private long done;

  /**
   * @param doing for the message of a cancelled pass, for example {@code decoding}
   */
  PassProgress(CodecOptions options, String doing, long total) {
    this.options = options;
    this.doing = doing;
    this.total = total;
  }

  /**
   * @throws InterruptedRunException if the caller cancelled the pass
   */
  void beforeChunk() {
    if (options.cancelled().getAsBoolean()) {
      throw new InterruptedRunException(
          "Stopped " + doing + " after " + done + " of " + total + " chunks", "");
    }
  }

  void afterChunk() {
    done++;
    options.progress().done(done, total);
  }
}
