package dev.gossamer.cli;

import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.AttentionProvider;
import dev.gossamer.video.TextToVideo;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import picocli.CommandLine.Option;

/** How the transformer's self-attention is computed. */
final class AttentionArguments {
  /** The names of all methods, for help and completion. */
  static final class Names implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return AttentionCatalog.providers().stream().map(AttentionProvider::name).iterator();
    }
  }

  @Option(
      names = "--attention",
      paramLabel = "METHOD",
      completionCandidates = Names.class,
      description = "One of: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  private String method = "adacluster";

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      description =
          "Named settings of the method; adacluster has default, cluster, paper and, as the paper's"
              + " released code has them for the model's family, release (default: the method's"
              + " own).")
  private String preset;

  @Option(
      names = "--density",
      paramLabel = "SHARE",
      description =
          "Share of query-key pairs to compute, above 0 and at most 1 (default: the preset's).")
  private Double density;

  @Option(
      names = "--attn",
      paramLabel = "<name=value>",
      description =
          "One setting of the method, also written --attn.name=value; repeatable. The report lists"
              + " all with their values.")
  private final Map<String, String> settings = new TreeMap<>();

  /**
   * The method as it suits a model.
   *
   * @throws dev.gossamer.tensor.failure.UsageException if the method does not exist or does not
   *     know an option
   */
  AttentionMethod method(TextToVideo model) {
    AttentionOptions options = AttentionOptions.defaults();
    if (preset != null) {
      options = options.withPreset(preset);
    }
    if (density != null) {
      options = options.withDensity(density);
    }
    for (Map.Entry<String, String> setting : settings.entrySet()) {
      options = options.withSetting(setting.getKey(), setting.getValue());
    }
    return model.attention(method, options);
  }
}
