package dev.gossamer.mini;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.function.UnaryOperator;

/**
 * A model whose files are resources of this module: those of a folder beside this class, and a
 * {@link Manifest} of the folder's name with {@code .manifest}.
 *
 * @param title what messages call it, behind "the"
 * @param resources the folder
 */
record ShippedModel(String title, String resources) {
  /** System property that names another folder to unpack into. */
  static final String CACHE_PROPERTY = "gossamer.cache";

  Manifest manifest() {
    return Manifest.ofResource(resources + ".manifest");
  }

  /**
   * The files as a folder that can be mapped. Where this module lies in plain files they are used
   * in place; where it lies in a jar they are unpacked once into {@link #cache()}, checked by size
   * and SHA-256, and put in place by one rename, so that several processes may do so at the same
   * time.
   *
   * @throws UncheckedIOException if the model cannot be unpacked, or its weights were left out of a
   *     bundle
   */
  Path folder() {
    Manifest manifest = manifest();
    String weights = manifest.largest().path();
    URL found = ShippedModel.class.getResource(resources + "/" + weights);
    if (found == null) {
      throw new UncheckedIOException(
          "The "
              + title
              + " is not in this bundle. Name another by --model, or make the bundle with it",
          new FileNotFoundException(weights));
    }
    if (found.getProtocol().equals("file")) {
      return inPlace(found, weights);
    }
    return new Unpacking(
            title, manifest, path -> ShippedModel.class.getResourceAsStream(resources + "/" + path))
        .into(cache());
  }

  /**
   * The folder for what this user's programs may delete and make again: the property {@value
   * #CACHE_PROPERTY}, else {@code gossamer} under {@code XDG_CACHE_HOME}, {@code LOCALAPPDATA} or
   * {@code ~/.cache}.
   */
  static Path cache() {
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
