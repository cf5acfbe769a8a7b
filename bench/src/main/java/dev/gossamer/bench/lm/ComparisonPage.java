package dev.gossamer.bench.lm;

import static dev.gossamer.bench.TextTable.figure;

import dev.gossamer.bench.TextTable;
import dev.gossamer.lm.train.TrainSettings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A {@link ComparisonReport} for people. */
public final class ComparisonPage {
  private ComparisonPage() {}

  /** Sizes, results and verdicts for a terminal. */
  public static String plain(ComparisonReport report) {
    return page(report, "", TextTable::plain, "  ");
  }

  /** The same for a document, with the charts. */
  public static String markdown(ComparisonReport report) {
    String charts =
        Arrays.stream(ComparisonChart.Axis.values())
            .map(axis -> "![bits per byte against " + axis.title() + "](" + axis.file() + ")\n")
            .collect(Collectors.joining("\n"));
    return page(report, "## ", table -> table.markdown().stripTrailing(), "- ") + "\n\n" + charts;
  }

  private static String page(
      ComparisonReport report, String heading, Function<TextTable, String> table, String item) {
    String verdicts =
        Stream.concat(
                report.verdicts().stream().map(ComparisonReport.Verdict::sentence),
                report.rateSentence().stream())
            .map(sentence -> item + sentence + ".")
            .collect(Collectors.joining("\n"));
    return String.join(
        "\n\n",
        heading + "Sizes",
        table.apply(report.matching().table()),
        heading + "Held-out bits per byte",
        settings(report),
        table.apply(bits(report)),
        "A difference is that to fine-grained with the same seed, mean over seeds, its interval Student's"
            + " t at 95 %; in percent it is the mean of each pair's.",
        verdicts,
        heading + "Balance of the experts and time",
        table.apply(figures(report)),
        notes(report));
  }

  private static String settings(ComparisonReport report) {
    TrainSettings training = report.settings().training();
    return String.format(
        Locale.ROOT,
        "%,d steps of %d sequences of %d tokens, %,d tokens a run, the same in the same order for"
            + " all; learning rate %s; windows of %d tokens that do not overlap; %d rank%s, %d"
            + " thread%s each.",
        training.steps(),
        training.batch(),
        training.sequence(),
        report.settings().tokens(),
        training.optimizer().learningRate(),
        training.sequence(),
        report.ranks(),
        report.ranks() == 1 ? "" : "s",
        report.threads(),
        report.threads() == 1 ? "" : "s");
  }

  private static TextTable bits(ComparisonReport report) {
    List<String> head = new ArrayList<>(List.of("arm", "mean", "sd"));
    report.fineGrained().runs().forEach(run -> head.add("seed " + run.seed()));
    head.addAll(List.of("difference", "from", "to", "%"));
    TextTable table = new TextTable(head.toArray(String[]::new));
    for (ComparisonReport.Arm arm : report.arms()) {
      boolean itself = arm.contestant() == Contestant.FINE_GRAINED;
      Spread difference = ComparisonReport.difference(arm, report.fineGrained());
      Spread percent = ComparisonReport.percent(arm, report.fineGrained(), 0);
      List<String> row = new ArrayList<>();
      row.add(arm.contestant().word());
      row.add(figure(arm.bits().mean(), 4));
      row.add(figure(arm.bits().deviation(), 4));
      arm.runs().forEach(run -> row.add(figure(run.bits(), 4)));
      row.add(itself ? "-" : signed(difference.mean(), 4));
      row.add(itself ? "-" : signed(difference.low(), 4));
      row.add(itself ? "-" : signed(difference.high(), 4));
      row.add(itself ? "-" : signed(percent.mean(), 2));
      table.row(row);
    }
    return table;
  }

  private static TextTable figures(ComparisonReport report) {
    TextTable table =
        new TextTable(
            "arm",
            "MaxVio",
            "worst",
            "entropy",
            "dead, %",
            "tokens/s",
            "s",
            "modelled s",
            "to target",
            "s to target",
            "modelled s to target");
    int steps = report.settings().training().steps();
    for (ComparisonReport.Arm arm : report.arms()) {
      boolean dense = arm.contestant() == Contestant.DENSE;
      List<TrainedRun.Point> reached = arm.reaching(report.target());
      table.row(
          arm.contestant().word(),
          dense ? "-" : figure(arm.over(run -> run.load().mean()).mean(), 2),
          dense ? "-" : figure(arm.worstLoad(), 2),
          dense ? "-" : figure(arm.over(run -> run.load().entropy()).mean(), 3),
          dense ? "-" : figure(100 * arm.over(run -> run.load().dead()).mean(), 1),
          figure(arm.over(TrainedRun::tokensPerSecond).mean(), 0),
          figure(arm.over(TrainedRun::seconds).mean(), 1),
          figure(steps * arm.stepSeconds(), 1),
          reached.size() + " of " + arm.runs().size(),
          figure(ComparisonReport.mean(reached, TrainedRun.Point::seconds), 1),
          figure(ComparisonReport.mean(reached, point -> point.step() * arm.stepSeconds()), 1));
    }
    return table;
  }

  private static String signed(double value, int decimals) {
    return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%+." + decimals + "f", value);
  }

  private static String notes(ComparisonReport report) {
    return String.format(
        Locale.ROOT,
        "MaxVio is the busiest expert's load over an even one less 1, of a step, mean over layers,"
            + " steps since the last look but one, and seeds; worst is the highest of a layer in a"
            + " step; dead experts had less than a hundredth of an even load in a step. tokens/s are"
            + " of the median step, seconds of all steps without looks and checkpoints, both"
            + " measured here. Modelled, not measured: the planner's seconds for as many steps of %s"
            + " with 64 experts, each arm's structure and fine-grained's top-%d, on %s (%s); dense is"
            + " one expert at home. The target is %.4f bits per byte, the worst final value of"
            + " fine-grained; where it is reached lies on a line between two looks, and means are"
            + " over the runs that reach it.",
        ModelledCluster.MODEL,
        report.settings().model().fineGrained().topK(),
        ModelledCluster.CLUSTER,
        "docs/plan.md",
        report.target());
  }
}
