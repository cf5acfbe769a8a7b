package dev.gossamer.video;

import java.util.Locale;

/** The parts of a model that are loaded, used and freed on their own, in the order of their use. */
public enum VideoPart {
  /** All text encoders. */
  TEXT,
  /** The denoising transformer. */
  TRANSFORMER,
  /** The autoencoder's decoder, latents to frames. */
  DECODER;

  /** Lower case, as reports and messages write it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
