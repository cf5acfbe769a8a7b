package dev.gossamer.mini;

import java.io.UncheckedIOException;
import java.nio.file.Path;

/**
 * Finds the small text-to-video model that ships inside this module: a Wan 2.1 checkpoint of 22.7
 * MB in diffusers' folder layout, float16 weights.
 */
public final class MiniModel {
  static final ShippedModel SHIPPED = new ShippedModel("mini model", "model");

  private MiniModel() {}

  /**
   * The checkpoint as a folder that can be mapped: in place where this module lies in plain files,
   * else unpacked once into the user's cache and checked.
   *
   * @throws UncheckedIOException if the model cannot be unpacked, or was left out of a bundle
   */
  public static Path folder() {
    return SHIPPED.folder();
  }
}
