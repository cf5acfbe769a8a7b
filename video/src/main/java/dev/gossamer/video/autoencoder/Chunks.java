package dev.gossamer.video.autoencoder;

import java.util.ArrayList;
import java.util.List;

/**
 * How the frames of a video, or of its latents, are divided into chunks.
 *
 * @param starts first frame of each chunk, and behind the last the number of frames
 */
public record Chunks(List<Long> starts) {
  public Chunks {
    starts = List.copyOf(starts);
    if (starts.size() < 2) {
      throw new IllegalArgumentException("No chunks: " + starts);
    }
  }

  /** A first chunk, then others of one size, as many as are whole. */
  public static Chunks of(long first, long others, long frames) {
    List<Long> starts = new ArrayList<>();
    starts.add(0L);
    for (long end = first; end <= frames; end += others) {
      starts.add(end);
    }
    return new Chunks(starts);
  }

  public int count() {
    return starts.size() - 1;
  }

  public long start(int chunk) {
    return starts.get(chunk);
  }

  public long length(int chunk) {
    return starts.get(chunk + 1) - starts.get(chunk);
  }
}
