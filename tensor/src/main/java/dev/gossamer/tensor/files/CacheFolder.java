package dev.gossamer.tensor.files;

import java.nio.file.Path;
import java.util.function.UnaryOperator;

/**
 * The folder for what this user's programs may delete and make again: the property {@value
 * #PROPERTY}, else {@code gossamer} under {@code XDG_CACHE_HOME}, {@code LOCALAPPDATA} or {@code
 * ~/.cache}. The mini models, whose module knows no other, go by the same rule.
 */
public final class CacheFolder {
  /** System property that names another folder. */
  public static final String PROPERTY = "gossamer.cache";

  private CacheFolder() {}

  /** Need not exist. */
  public static Path path() {
    return path(System::getProperty, System::getenv);
  }

  static Path path(UnaryOperator<String> property, UnaryOperator<String> environment) {
    String chosen = property.apply(PROPERTY);
    if (chosen != null) {
      return Path.of(chosen);
    }
    for (String variable : new String[] {"XDG_CACHE_HOME", "LOCALAPPDATA"}) {
      String home = environment.apply(variable);
      if (home != null && Path.of(home).isAbsolute()) {
        return Path.of(home, "gossamer");
      }
    }
    return Path.of(property.apply("user.home"), ".cache", "gossamer");
  }
}
