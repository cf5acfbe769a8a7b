package dev.gossamer.moe.plan;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Whether BigMac is worth it in one setting.
 *
 * @param pays whether its step is shorter than the fine-grained one
 * @param speedUp fine-grained step over BigMac's
 * @param breakEven the link at which that turns
 * @param text the same in plain words, one line
 */
public record Verdict(boolean pays, double speedUp, BreakEven breakEven, String text) {
  /** Below this gain, nobody would notice. */
  private static final double NOTICEABLE = 1.02;

  static Verdict of(PlanRow fineGrained, PlanRow bigMac, Exchange exchange, BreakEven breakEven) {
    double speedUp = fineGrained.time().total() / bigMac.time().total();
    boolean pays = speedUp > 1;
    String steps =
        String.format(
            Locale.ROOT,
            "a step takes %s against %s, %.2f times as fast. ",
            duration(bigMac.time().total()),
            duration(fineGrained.time().total()),
            speedUp);
    if (speedUp >= NOTICEABLE) {
      return new Verdict(true, speedUp, breakEven, "BigMac pays: " + steps + link(breakEven));
    }
    return new Verdict(
        pays,
        speedUp,
        breakEven,
        (pays ? "BigMac hardly pays: " : "BigMac does not pay here: ")
            + steps
            + reason(fineGrained, exchange, breakEven));
  }

  private static String reason(PlanRow fineGrained, Exchange exchange, BreakEven breakEven) {
    StepTime time = fineGrained.time();
    if (fineGrained.group().ranks() == 1) {
      return "All experts are on one rank: nothing travels, and the projections only cost";
    }
    if (time.hidden() > time.exposed()) {
      return "Most of the all-to-all is hidden behind the experts already. " + link(breakEven);
    }
    if (exchange.latencySeconds() > exchange.seconds() / 2) {
      return "So few tokens travel that latency decides, and narrow rows do not shorten it. "
          + link(breakEven);
    }
    return link(breakEven);
  }

  private static String link(BreakEven breakEven) {
    String link = breakEven.between() ? "the link between nodes" : "the link inside the node";
    String here =
        String.format(
            Locale.ROOT,
            "; the formula says %s. %s gives %s per rank",
            Double.isInfinite(breakEven.formula())
                ? "at any rate"
                : "below " + rate(breakEven.formula()),
            "T" + link.substring(1),
            rate(breakEven.available()));
    if (breakEven.simulated() == 0) {
      return "It would pay at no rate of " + link + here;
    }
    if (Double.isInfinite(breakEven.simulated())) {
      return "It would pay at any rate of "
          + link
          + (breakEven.between() ? ", as the one inside nodes counts too" : "")
          + here;
    }
    return "It pays below " + rate(breakEven.simulated()) + " of " + link + here;
  }

  private static String rate(double bytesPerSecond) {
    double rate = bytesPerSecond / 1e9;
    return String.format(Locale.ROOT, rate < 100 ? "%.3g GB/s" : "%.0f GB/s", rate);
  }

  private static String duration(double seconds) {
    return seconds < 10
        ? String.format(Locale.ROOT, "%.1f ms", 1e3 * seconds)
        : String.format(Locale.ROOT, "%.0f s", seconds);
  }

  /** As a JSON document. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("pays", pays);
    document.put("speedUp", speedUp);
    document.put("breakEvenBytesPerSecond", breakEven.simulated());
    document.put("breakEvenFormulaBytesPerSecond", breakEven.formula());
    document.put("linkBytesPerSecond", breakEven.available());
    document.put("text", text);
    return document;
  }
}
