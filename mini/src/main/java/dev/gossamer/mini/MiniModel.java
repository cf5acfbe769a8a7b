package dev.gossamer.mini;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/**
 * Finds the small text-to-video model that ships inside this module: a Wan 2.1 checkpoint of 22.7
 * MB in diffusers' folder layout, float16 weights.
 */
public final class MiniModel {
  /** System property that names another folder to unpack into. */
  public static final String CACHE_PROPERTY = "gossamer.cache";

  private static final String MODEL = "model";
  private static final String WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";

  private MiniModel() {}

  /**
   * The checkpoint as a folder that can be mapped. Where this module lies in plain files they are
   * used in place; where it lies in a jar the files are unpacked once into {@link #cache()},
   * checked by size and SHA-256, and put in place by one rename, so that several processes may do
   * so at the same time.
   *
   * @throws UncheckedIOException if the model cannot be unpacked
   */
  public static Path folder() {
    Manifest manifest = Manifest.ofThisModule();
    if (MiniModel.class.getResource(MODEL + "/" + WEIGHTS) == null) {
      throw new UncheckedIOException(
          "The mini model is not in this bundle. Name a checkpoint by --model, or make the bundle"
              + " with it",
          new FileNotFoundException(WEIGHTS));
    }
    URL first = MiniModel.class.getResource(MODEL + "/" + manifest.files().get(0).path());
    if (first != null && first.getProtocol().equals("file")) {
      return inPlace(first, manifest.files().get(0).path());
    }
    return new Unpacking(manifest, path -> MiniModel.class.getResourceAsStream(MODEL + "/" + path))
        .into(cache());
  }

  /**
   * The folder for what this user's programs may delete and make again: the property {@value
   * #CACHE_PROPERTY}, else {@code gossamer} under {@code XDG_CACHE_HOME}, {@code LOCALAPPDATA} or
   * {@code ~/.cache}.
   */
  public static Path cache() {
    return cache(System::getProperty, System::getenv);
  }

  static Path cache(UnaryOperator<String> property, UnaryOperator<String> environment) {
    String chosen = property.apply(CACHE_PROPERTY);
    if (chosen != null) {
      return Path.of(chosen);
    }
    for (String variable : new String[] {"XDG_CACHE_HOME", "LOCALAPPDATA"}) {
      String home = environment.apply(variable);
      // The XDG specification tells programs to ignore a relative path.
      if (home != null && Path.of(home).isAbsolute()) {
        return Path.of(home, "gossamer");
      }
    }
    return Path.of(property.apply("user.home"), ".cache", "gossamer");
  }

  private static Path inPlace(URL file, String relative) {
    try {
      Path folder = Path.of(file.toURI());
      for (int i = 0; i < Path.of(relative).getNameCount(); i++) {
        folder = folder.getParent();
      }
      return folder;
    } catch (URISyntaxException e) {
      throw new UncheckedIOException(new IOException("No folder at " + file, e));
    }
  }
}
