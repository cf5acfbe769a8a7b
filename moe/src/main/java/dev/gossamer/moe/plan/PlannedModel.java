package dev.gossamer.moe.plan;

import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MatchedSettings.Match;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.settings.Words;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A decoder-only transformer whose every layer has a mixture of experts, given by its fine-grained
 * form; the other structures follow from it.
 *
 * @param name how it is called
 * @param layers layers, {@code l}
 * @param sequence tokens of a sequence, {@code s}
 * @param vocabulary rows of the embedding, {@code v}
 * @param experts the fine-grained layer
 * @param ratio latent over hidden width of BigMac, {@code r}
 * @param match how BigMac is matched to the fine-grained layer
 * @param sharedInner inner width of shared experts that every token visits at home; 0 for none
 */
public record PlannedModel(
    String name,
    int layers,
    int sequence,
    int vocabulary,
    FineGrained experts,
    double ratio,
    Match match,
    int sharedInner) {
  /**
   * The paper's base models (Table 5 and its text) with 64 experts, top-8, ratio 1/4. 50,304 is the
   * vocabulary of 50,257 padded to a multiple of 128, as Megatron does: with it, and not without,
   * the FLOPs of the paper's Table 4 come out.
   */
  private static final Map<String, int[]> PAPER =
      Map.of(
          "gpt3-medium", new int[] {1024, 24},
          "gpt3-xl", new int[] {2048, 24},
          "gpt3-2.7b", new int[] {2560, 32},
          "gpt3-6.7b", new int[] {4096, 32});

  /** Models that have a name, in the order of their size. */
  public static final List<String> PRESETS =
      List.of("gpt3-medium", "gpt3-xl", "gpt3-2.7b", "gpt3-6.7b");

  private static final int SEQUENCE = 2048;
  private static final int PADDED_VOCABULARY = 50_304;
  private static final int EXPERTS = 64;
  private static final int TOP_K = 8;
  private static final int MULTIPLE = 32;

  public PlannedModel {
    require(layers >= 1, layers + " layers", "Use 1 or more");
    require(sequence >= 1, "sequences of " + sequence, "Use 1 or more");
    require(vocabulary >= 1, "a vocabulary of " + vocabulary, "Use 1 or more");
    require(ratio > 0 && ratio <= 1, "a ratio of " + ratio, "Use more than 0, at most 1");
    require(sharedInner >= 0, "shared experts of width " + sharedInner, "Use 0 or more");
    require(
        experts.hidden() * ratio >= 1, "a latent width of " + experts.hidden() * ratio, "Widen it");
  }

  /**
   * @throws UsageException if there is none of that name
   */
  public static PlannedModel preset(String name) {
    int[] size = PAPER.get(name);
    if (size == null) {
      throw new UsageException(
          "Unknown model '" + name + "'",
          "Use " + String.join(", ", PRESETS) + ", or a file ending in .json");
    }
    int hidden = size[0];
    return new PlannedModel(
        name,
        size[1],
        SEQUENCE,
        PADDED_VOCABULARY,
        new FineGrained(hidden, EXPERTS, TOP_K, hidden / 4, ExpertBody.PLAIN),
        0.25,
        Match.NOMINAL,
        0);
  }

  /**
   * @throws dev.gossamer.tensor.failure.BadInputException if the file is missing or malformed, has
   *     a key that is unknown, or lacks one
   */
  public static PlannedModel read(Path path) {
    SettingsFile file = SettingsFile.read(path);
    return file.build(
        () ->
            new PlannedModel(
                file.text("name", path.getFileName().toString()),
                file.whole("layers"),
                file.whole("sequence", SEQUENCE),
                file.whole("vocabulary", PADDED_VOCABULARY),
                new FineGrained(
                    file.whole("hidden"),
                    file.whole("experts"),
                    file.whole("topK"),
                    file.whole("inner"),
                    file.flag("gated", false) ? ExpertBody.GATED : ExpertBody.PLAIN),
                file.real("ratio", 0.25),
                file.choice("match", Match.class, Match.NOMINAL),
                file.whole("sharedInner", 0)));
  }

  public int hidden() {
    return experts.hidden();
  }

  /** BigMac's narrow width, {@code w = r h}. */
  public int latent() {
    return (int) Math.round(ratio * hidden());
  }

  /**
   * BigMac matched to the fine-grained layer.
   *
   * @throws UsageException if there is no such layer
   */
  public MatchedSettings matched() {
    return MatchedSettings.solve(experts, latent(), match, MULTIPLE);
  }

  /**
   * The layer in one of its forms; nothing if the experts do not join to vanilla ones.
   *
   * @throws UsageException if BigMac cannot be matched
   */
  public Optional<MoeStructure> structure(StructureKind kind) {
    return switch (kind) {
      case VANILLA -> vanilla();
      case FINE_GRAINED -> Optional.of(experts);
      case BIGMAC -> Optional.of(matched().matched());
    };
  }

  private Optional<MoeStructure> vanilla() {
    try {
      return Optional.of(MatchedSettings.vanilla(experts));
    } catch (UsageException e) {
      return Optional.empty(); // a comparison less, and no reason to refuse the others
    }
  }

  public PlannedModel withTopK(int topK) {
    return withExperts(
        new FineGrained(hidden(), experts.experts(), topK, experts.inner(), experts.body()));
  }

  public PlannedModel withExperts(FineGrained newExperts) {
    return new PlannedModel(
        name, layers, sequence, vocabulary, newExperts, ratio, match, sharedInner);
  }

  public PlannedModel withRatio(double newRatio) {
    return new PlannedModel(
        name, layers, sequence, vocabulary, experts, newRatio, match, sharedInner);
  }

  public PlannedModel withMatch(Match newMatch) {
    return new PlannedModel(
        name, layers, sequence, vocabulary, experts, ratio, newMatch, sharedInner);
  }

  public PlannedModel withLength(int newLayers, int newSequence, int newVocabulary) {
    return new PlannedModel(
        name, newLayers, newSequence, newVocabulary, experts, ratio, match, sharedInner);
  }

  /** As a JSON document with the keys of the file. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("name", name);
    document.put("hidden", hidden());
    document.put("layers", layers);
    document.put("sequence", sequence);
    document.put("vocabulary", vocabulary);
    document.put("experts", experts.experts());
    document.put("topK", experts.topK());
    document.put("inner", experts.inner());
    document.put("gated", experts.body() == ExpertBody.GATED);
    document.put("ratio", ratio);
    document.put("match", Words.of(match));
    document.put("sharedInner", sharedInner);
    return document;
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No model has " + found, remedy);
    }
  }
}
