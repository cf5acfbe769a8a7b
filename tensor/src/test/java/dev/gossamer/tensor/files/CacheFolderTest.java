package dev.gossamer.tensor.files;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CacheFolderTest {
  private static Path path(Map<String, String> properties, Map<String, String> environment) {
    return CacheFolder.path(properties::get, environment::get);
  }

  @Test
  void goesByPropertyThenEnvironmentThenHome() {
    Map<String, String> home = Map.of("user.home", "/home/a");
    assertThat(path(Map.of("gossamer.cache", "/x"), Map.of())).isEqualTo(Path.of("/x"));
    assertThat(path(home, Map.of("XDG_CACHE_HOME", "/c"))).isEqualTo(Path.of("/c/gossamer"));
    assertThat(path(home, Map.of("XDG_CACHE_HOME", "c")))
        .isEqualTo(Path.of("/home/a/.cache/gossamer"));
  }
}
