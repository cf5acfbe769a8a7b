package dev.gossamer.moe;

import dev.gossamer.moe.MoeStructure.BigMac;
import dev.gossamer.moe.MoeStructure.FineGrained;
import dev.gossamer.moe.MoeStructure.Vanilla;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Locale;

/**
 * A BigMac layer that is comparable with a fine-grained one, and how far off it is after rounding.
 *
 * @param base the fine-grained layer
 * @param matched the BigMac layer
 * @param match what was made equal
 * @param exactInner inner width that would make it exactly equal
 * @param multiple the inner width is a multiple of this
 * @param weightResidual weights of the layer's experts and projections against those of the base,
 *     in percent
 * @param activeResidual the same of the weights that one token meets, and so of floating-point
 *     operations, in percent
 */
public record MatchedSettings(
    FineGrained base,
    BigMac matched,
    Match match,
    double exactInner,
    int multiple,
    double weightResidual,
    double activeResidual) {
  /** Matched settings that are further off than this, in percent, are refused. */
  public static final double TOLERANCE = 0.5;

  /** Vanilla experts there are at least, as in the paper: of fewer there is hardly a choice. */
  private static final int FEWEST_VANILLA = 4;

  /** What is made equal. */
  public enum Match {
    /** Each expert keeps its weights, the projections come on top: the paper. */
    NOMINAL,
    /** All weights: experts are narrowed by what the projections weigh. */
    PARAMS,
    /** Floating-point operations per token: experts are narrowed by what the projections cost. */
    FLOPS,
    /** Inner width stays, experts and top-k are multiplied by h/w: equal bytes on the wire. */
    REINVEST
  }

  /**
   * Solves for the inner width.
   *
   * @param latent narrow width {@code w}
   * @param multiple preferred multiple of the inner width, a power of two; it is halved while
   *     rounding to it would be more than {@value #TOLERANCE} % off
   * @throws UsageException if there is no such layer, with the reason
   */
  public static MatchedSettings solve(FineGrained base, int latent, Match match, int multiple) {
    if (latent < 1 || latent > base.hidden()) {
      throw new UsageException(
          "Cannot match a latent width of " + latent,
          "Use 1 to the hidden width, " + base.hidden());
    }
    if (multiple < 1 || Integer.bitCount(multiple) != 1) {
      throw new UsageException(
          "Cannot round inner widths to multiples of " + multiple, "Use a power of two");
    }
    return match == Match.REINVEST
        ? reinvested(base, latent)
        : narrowed(base, latent, match, multiple);
  }

  private static MatchedSettings narrowed(FineGrained base, int latent, Match match, int multiple) {
    double exact = exactInner(base, latent, match);
    if (exact <= latent) {
      throw new UsageException(
          String.format(
              Locale.ROOT,
              "No BigMac layer matches by %s: the projections leave experts an inner width of %.0f,"
                  + " not above the latent width %d",
              match.name().toLowerCase(Locale.ROOT),
              exact,
              latent),
          "Use a larger top-k or more experts, a smaller ratio, or match by params or nominal");
    }
    for (int step = multiple; ; step /= 2) {
      int inner = (int) Math.round(exact / step) * step;
      if (inner > latent) {
        MatchedSettings settings = of(base, withInner(base, latent, inner), match, exact, step);
        if (settings.residual() <= TOLERANCE) {
          return settings;
        }
      }
      if (step == 1) {
        throw new UsageException(
            String.format(
                Locale.ROOT,
                "No BigMac layer matches by %s within %s %%: the inner width would be %.1f",
                match.name().toLowerCase(Locale.ROOT),
                TOLERANCE,
                exact),
            "These widths are too small to round to whole numbers");
      }
    }
  }

  private static double exactInner(FineGrained base, int latent, Match match) {
    double nominal = (double) base.inner() * base.hidden() / latent;
    double projections = 2.0 * base.hidden() / base.body().matrices();
    return switch (match) {
      case NOMINAL, REINVEST -> nominal;
      case PARAMS -> nominal - projections / base.experts();
      case FLOPS -> nominal - projections / base.topK();
    };
  }

  private static MatchedSettings reinvested(FineGrained base, int latent) {
    if (base.hidden() % latent != 0) {
      throw new UsageException(
          "Cannot reinvest what a latent width of " + latent + " saves",
          "Use one that divides the hidden width, " + base.hidden());
    }
    int factor = base.hidden() / latent;
    BigMac wide =
        new BigMac(
            base.hidden(),
            latent,
            base.experts() * factor,
            base.topK() * factor,
            base.inner(),
            base.body());
    return of(base, wide, Match.REINVEST, base.inner(), 1);
  }

  private static BigMac withInner(FineGrained base, int latent, int inner) {
    return new BigMac(base.hidden(), latent, base.experts(), base.topK(), inner, base.body());
  }

  private static MatchedSettings of(
      FineGrained base, BigMac matched, Match match, double exact, int multiple) {
    return new MatchedSettings(
        base,
        matched,
        match,
        exact,
        multiple,
        percent(matched.expertWeights() + matched.projectionWeights(), base.expertWeights()),
        percent(
            matched.activeWeights() - matched.gateWeights(),
            base.activeWeights() - base.gateWeights()));
  }

  private static double percent(long ours, long theirs) {
    return 100.0 * (ours - theirs) / theirs;
  }

  /** How far off the matched quantity is, in percent, without sign. */
  public double residual() {
    return switch (match) {
      case PARAMS -> Math.abs(weightResidual);
      case FLOPS -> Math.abs(activeResidual);
      case NOMINAL -> Math.abs(percent(matched.weightsPerExpert(), base.weightsPerExpert()));
      case REINVEST ->
          Math.abs(percent(matched.wireElementsPerToken(), base.wireElementsPerToken()));
    };
  }

  /**
   * The vanilla layer with as many expert weights: inner width four times the hidden one, and as
   * many experts fewer as they are wider.
   *
   * @throws UsageException if the experts cannot be joined to whole ones
   */
  public static Vanilla vanilla(FineGrained base) {
    int inner = 4 * base.hidden();
    int granularity = inner / base.inner();
    if (inner % base.inner() != 0 || base.experts() % granularity != 0) {
      throw new UsageException(
          base.experts()
              + " experts of inner width "
              + base.inner()
              + " do not join to vanilla ones of "
              + inner,
          "Use an inner width that divides it, and a multiple of that many experts");
    }
    int experts = base.experts() / granularity;
    int topK = Math.max(1, base.topK() / granularity);
    return new Vanilla(base.hidden(), experts, topK, inner, base.body());
  }

  /**
   * A vanilla layer with as many weights, the gate's included, however small the base is: the
   * fewest experts, {@value #FEWEST_VANILLA} or more, that are at most about four times as wide as
   * the stream and come near enough in whole numbers. Of the paper's 64 experts that makes 4.
   *
   * @param topK experts that a token visits
   * @param most weights that the layer may be off
   * @throws UsageException if there is no such layer of fewer experts than the base has
   */
  public static Vanilla vanilla(FineGrained base, int topK, double most) {
    long weights = base.expertWeights() + base.gateWeights();
    long unit = (long) base.body().matrices() * base.hidden();
    int widest = 4 * base.hidden();
    int least = (base.experts() * base.inner() + widest - 1) / widest;
    for (int experts = Math.max(FEWEST_VANILLA, least); experts < base.experts(); experts++) {
      double exact = (double) (weights - (long) experts * base.hidden()) / (experts * unit);
      for (int step = 8; step >= 1; step /= 2) {
        int inner = (int) Math.round(exact / step) * step;
        if (inner >= 1 && experts * unit * Math.abs(inner - exact) <= most) {
          return new Vanilla(base.hidden(), experts, topK, inner, base.body());
        }
      }
    }
    throw new UsageException(
        String.format(
            Locale.ROOT,
            "No %d to %d vanilla experts of whole widths up to %d weigh as much as %d of %d",
            FEWEST_VANILLA,
            base.experts() - 1,
            widest,
            base.experts(),
            base.inner()),
        "Use more experts, or other widths");
  }
}
