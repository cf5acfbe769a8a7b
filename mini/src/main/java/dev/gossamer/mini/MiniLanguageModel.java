package dev.gossamer.mini;

import java.io.UncheckedIOException;
import java.nio.file.Path;

/**
 * Finds the small language model that ships inside this module: BigMac with 2.4 million weights and
 * a tokenizer of 2,048 byte pairs, 4.9 MB as {@code checkpoint export} writes it, bfloat16 weights.
 */
public final class MiniLanguageModel {
  /** What a server calls it, as its folder is a cache's. */
  public static final String NAME = "gossamer-mini";

  static final ShippedModel SHIPPED = new ShippedModel("mini language model", "language-model");

  private MiniLanguageModel() {}

  /**
   * The exported model as a folder that can be mapped: in place where this module lies in plain
   * files, else unpacked once into the user's cache and checked.
   *
   * @throws UncheckedIOException if the model cannot be unpacked, or was left out of a bundle
   */
  public static Path folder() {
    return SHIPPED.folder();
  }
}
