package dev.gossamer.attention;

import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/** All attention methods on the class path, by name. */
public final class AttentionCatalog {
  private AttentionCatalog() {}

  /** What exists, ordered by name. */
  public static List<AttentionProvider> providers() {
    List<AttentionProvider> found = new ArrayList<>();
    ServiceLoader.load(AttentionProvider.class, AttentionProvider.class.getClassLoader())
        .forEach(found::add);
    found.sort(Comparator.comparing(AttentionProvider::name));
    return found;
  }

  /**
   * Makes a method.
   *
   * @param name for example {@code dense}
   * @throws UsageException if there is no such method, or it does not know an option
   */
  public static AttentionMethod create(String name, AttentionOptions options) {
    List<AttentionProvider> all = providers();
    return all.stream()
        .filter(provider -> provider.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new UsageException(
                    "Unknown attention '" + name + "'",
                    "Use one of: "
                        + String.join(", ", all.stream().map(AttentionProvider::name).toList())))
        .create(options);
  }
}
