package dev.gossamer.video;

import java.util.Locale;

/** The stages of making a video, as {@link Progress} and the report name them. */
public enum Stage {
  /** Mapping and converting weights; comes once per part, between other stages. */
  LOAD,
  /** Prompt to embeddings. */
  TEXT,
  /** Picture to embeddings and latents, where a video begins with one. */
  IMAGE,
  /** Denoising, one step after the other. */
  TRANSFORMER,
  /** Latents to frames, one step per latent frame. */
  DECODE,
  /** Compressing frames and writing files. */
  WRITE,
  /** Denoising with dense attention from the same noise, for comparison. */
  DENSE;

  /** Lower case, as reports and messages write it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
