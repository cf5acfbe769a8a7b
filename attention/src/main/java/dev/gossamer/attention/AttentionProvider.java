package dev.gossamer.attention;

/**
 * Makes one attention method by name. Providers are found by {@link java.util.ServiceLoader}: to
 * add a method, name its provider in {@code META-INF/services}; see {@link AttentionCatalog}.
 */
public interface AttentionProvider {
  /** The name on the command line and in reports, for example {@code adacluster}. */
  String name();

  /** What it is, in one line without a full stop. */
  String description();

  /**
   * @throws dev.gossamer.tensor.failure.UsageException if the options hold what the method does not
   *     know
   */
  AttentionMethod create(AttentionOptions options);
}
