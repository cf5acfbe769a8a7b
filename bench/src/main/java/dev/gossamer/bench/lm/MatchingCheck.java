package dev.gossamer.bench.lm;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.TextTable;
import dev.gossamer.lm.ModelCount;
import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.MatchedSettings;
import dev.gossamer.moe.MoeSettings;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Whether models may be compared: those that should have equal weights are within {@value
 * MatchedSettings#TOLERANCE} % of the fine-grained one. Made before anything is trained.
 *
 * @param rows one for each contestant
 */
public record MatchingCheck(List<Row> rows) {
  /**
   * One contestant.
   *
   * @param contestant which
   * @param model its settings
   * @param count its weights and operations
   * @param parametersOff all weights against those of fine-grained, percent
   * @param flopsOff operations for a token against those of fine-grained, percent
   */
  public record Row(
      Contestant contestant,
      ModelSettings model,
      ModelCount count,
      double parametersOff,
      double flopsOff) {
    private boolean fits() {
      return !contestant.matched() || Math.abs(parametersOff) <= MatchedSettings.TOLERANCE;
    }

    private String note() {
      return switch (contestant) {
        case FINE_GRAINED -> "the others are matched to it";
        case BIGMAC_NOMINAL -> "exempt: each expert keeps its weights, as in the paper";
        case BIGMAC_REINVEST -> "exempt: more experts, as many bytes on the wire";
        case DENSE -> "exempt: equal operations for a token";
        default -> "equal weights";
      };
    }

    private Map<String, Object> document() {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("arm", contestant.word());
      Optional<MoeStructure> shape = model.experts().map(MoeSettings::structure);
      shape.ifPresent(
          structure -> {
            document.put("experts", structure.experts());
            document.put("topK", structure.topK());
          });
      document.put("inner", inner());
      if (shape.orElse(null) instanceof BigMac bigMac) {
        document.put("latent", bigMac.latent());
      }
      document.put("parameters", count.parameters());
      document.put("parametersOffPercent", parametersOff);
      document.put("activeParameters", count.activeParameters());
      document.put("forwardFlopsPerToken", count.forwardFlops());
      document.put("flopsOffPercent", flopsOff);
      document.put("note", note());
      return document;
    }

    private int inner() {
      return model.experts().map(moe -> moe.structure().inner()).orElse(model.dense().inner());
    }
  }

  public MatchingCheck {
    rows = List.copyOf(rows);
  }

  /**
   * @param sequence tokens of a sample
   * @throws UsageException if a contestant cannot be matched, with the nearest settings with which
   *     all can
   */
  public static MatchingCheck of(ComparedModel model, List<Contestant> contestants, int sequence) {
    if (!contestants.contains(Contestant.FINE_GRAINED)) {
      throw new UsageException(
          "A comparison without fine-grained, with which all are compared", "Add it to --arms");
    }
    ModelCount base = ModelCount.of(model.of(Contestant.FINE_GRAINED), sequence);
    List<Row> rows = new ArrayList<>();
    for (Contestant contestant : contestants) {
      Row row = row(model, contestant, base, sequence, contestants);
      if (!row.fits()) {
        throw refusal(
            model,
            contestants,
            sequence,
            String.format(
                Locale.ROOT,
                "%s has %,d weights, %+.2f %% against fine-grained, and %.1f %% are allowed",
                contestant.word(),
                row.count.parameters(),
                row.parametersOff,
                MatchedSettings.TOLERANCE));
      }
      rows.add(row);
    }
    return new MatchingCheck(rows);
  }

  private static Row row(
      ComparedModel model,
      Contestant contestant,
      ModelCount base,
      int sequence,
      List<Contestant> all) {
    try {
      return row(model, contestant, base, sequence);
    } catch (UsageException e) {
      throw refusal(model, all, sequence, "Cannot make " + contestant.word() + ": " + e.found());
    }
  }

  private static Row row(
      ComparedModel model, Contestant contestant, ModelCount base, int sequence) {
    ModelSettings settings = model.of(contestant);
    ModelCount count = ModelCount.of(settings, sequence);
    return new Row(
        contestant,
        settings,
        count,
        100.0 * (count.parameters() - base.parameters()) / base.parameters(),
        100 * (count.forwardFlops() / base.forwardFlops() - 1));
  }

  private static UsageException refusal(
      ComparedModel model, List<Contestant> contestants, int sequence, String found) {
    String nearest =
        nearest(model, contestants, sequence)
            .map(
                near ->
                    String.format(
                        Locale.ROOT,
                        "The nearest settings that fit are --set model.experts.count=%d --set"
                            + " model.experts.inner=%.0f; or leave it out of --arms",
                        near.fineGrained().experts(),
                        near.innerScale() * near.fineGrained().inner()))
            .orElse("Leave it out of --arms");
    return new UsageException(found, nearest);
  }

  /** Of models with up to twice and down to half as many and as wide experts. */
  private static Optional<ComparedModel> nearest(
      ComparedModel model, List<Contestant> contestants, int sequence) {
    int count = model.fineGrained().experts();
    int inner = model.fineGrained().inner();
    ComparedModel best = null;
    double least = Double.POSITIVE_INFINITY;
    for (int c = Math.max(model.fineGrained().topK(), count / 2); c <= 2 * count; c++) {
      for (int i = Math.max(1, inner / 2); i <= 2 * inner; i++) {
        double far = distance(c, count) + distance(i, inner);
        double written = model.innerScale() * i;
        if (far < least && written == Math.rint(written)) {
          ComparedModel near = model.withExperts(c, i);
          if (fits(near, contestants, sequence)) {
            best = near;
            least = far;
          }
        }
      }
    }
    return Optional.ofNullable(best);
  }

  private static double distance(int a, int b) {
    return Math.abs(Math.log((double) a / b));
  }

  private static boolean fits(ComparedModel model, List<Contestant> contestants, int sequence) {
    try {
      ModelCount base = ModelCount.of(model.of(Contestant.FINE_GRAINED), sequence);
      return contestants.stream().allMatch(c -> row(model, c, base, sequence).fits());
    } catch (UsageException e) {
      return false;
    }
  }

  /** The settings of a contestant. */
  public Row row(Contestant contestant) {
    return rows.stream().filter(row -> row.contestant == contestant).findFirst().orElseThrow();
  }

  /** Sizes of all, for people. */
  public TextTable table() {
    TextTable table =
        new TextTable(
            "arm",
            "experts",
            "top-k",
            "inner",
            "latent",
            "weights",
            "off, %",
            "active",
            "MFLOP a token",
            "off, %",
            "");
    for (Row row : rows) {
      MoeStructure shape = row.model.experts().map(MoeSettings::structure).orElse(null);
      table.row(
          row.contestant.word(),
          shape == null ? "-" : String.valueOf(shape.experts()),
          shape == null ? "-" : String.valueOf(shape.topK()),
          String.valueOf(row.inner()),
          shape instanceof BigMac bigMac ? String.valueOf(bigMac.latent()) : "-",
          String.format(Locale.ROOT, "%,d", row.count.parameters()),
          signed(row.parametersOff),
          String.format(Locale.ROOT, "%,d", row.count.activeParameters()),
          figure(row.count.forwardFlops() / 1e6, 3),
          signed(row.flopsOff),
          row.note());
    }
    return table;
  }

  private static String signed(double percent) {
    return String.format(Locale.ROOT, "%+.2f", percent);
  }

  List<Map<String, Object>> document() {
    return rows.stream().map(Row::document).toList();
  }
}
