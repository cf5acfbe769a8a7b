package dev.gossamer.attention.adacluster;

import dev.gossamer.tensor.failure.UsageException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How far down the ranking of key clusters a query group goes. */
public sealed interface SelectionRule {

  /** Clusters until they hold at least this share of the keys: known cost, equal for all groups. */
  record Budget(double share) implements SelectionRule {
    public Budget {
      inUnit(share, "budget");
    }

    @Override
    public String toString() {
      return "budget(" + share + ")";
    }
  }

  /**
   * A budget that depends on the length of the sequence: longer ones need a smaller share.
   *
   * @param limits ascending; the first one above the number of tokens decides
   * @param shares one more than limits
   */
  record Graded(List<Integer> limits, List<Double> shares) implements SelectionRule {
    public Graded {
      limits = List.copyOf(limits);
      shares = List.copyOf(shares);
      if (shares.size() != limits.size() + 1) {
        throw new UsageException(
            limits.size() + " limits and " + shares.size() + " shares", "Use one share more");
      }
      shares.forEach(share -> inUnit(share, "budget"));
      if (!limits.equals(limits.stream().sorted().toList())) {
        throw new UsageException(
            "The limits of a budget are " + limits, "Name them in ascending order");
      }
    }

    @Override
    public SelectionRule forTokens(int tokens) {
      int grade = 0;
      while (grade < limits.size() && tokens >= limits.get(grade)) {
        grade++;
      }
      return new Budget(shares.get(grade));
    }

    @Override
    public String toString() {
      StringBuilder text = new StringBuilder("budget(");
      for (int grade = 0; grade < limits.size(); grade++) {
        text.append(shares.get(grade)).append('<').append(limits.get(grade)).append(',');
      }
      return text.append(shares.get(limits.size())).append(')').toString();
    }

    private static Graded parse(String inside) {
      List<Integer> limits = new ArrayList<>();
      List<Double> shares = new ArrayList<>();
      for (String grade : inside.split(",")) {
        String[] parts = grade.split("<");
        shares.add(Double.valueOf(parts[0]));
        if (parts.length > 1) {
          limits.add(Integer.valueOf(parts[1]));
        }
      }
      return new Graded(limits, shares);
    }
  }

  /** The rule for a sequence of this length; the same rule unless it depends on the length. */
  default SelectionRule forTokens(int tokens) {
    return this;
  }

  /** A fixed number of clusters. */
  record TopClusters(int count) implements SelectionRule {
    public TopClusters {
      if (count < 1) {
        throw new UsageException("A top-k of " + count + " clusters", "Use at least 1");
      }
    }

    @Override
    public String toString() {
      return "topK(" + count + ")";
    }
  }

  /** A fixed share of the layer's clusters, rounded, at least one. */
  record TopShare(double share) implements SelectionRule {
    public TopShare {
      inUnit(share, "topK");
    }

    @Override
    public String toString() {
      return "topK(" + share + ")";
    }
  }

  /**
   * The fewest clusters whose estimated attention mass reaches a target, but at least a share of
   * all clusters; the cluster that crosses the target is kept.
   */
  record Mass(double target, double leastShare) implements SelectionRule {
    public Mass {
      inUnit(target, "mass");
      if (!(leastShare >= 0 && leastShare <= 1)) {
        throw new UsageException("A least share of " + leastShare, "Use a share between 0 and 1");
      }
    }

    @Override
    public String toString() {
      return "mass(" + target + "," + leastShare + ")";
    }
  }

  private static void inUnit(double share, String name) {
    if (!(share > 0 && share <= 1)) {
      throw new UsageException(
          "The selection " + name + "(" + share + ")", "Use a share above 0 and at most 1");
    }
  }

  /**
   * Reads {@code budget(.1)}, {@code budget(.15<8192,.1)}, {@code topK(64)}, {@code topK(.15)},
   * {@code mass(.9)} or {@code mass(.9,.1)}.
   */
  static SelectionRule parse(String text) {
    Matcher matcher =
        Pattern.compile("(budget|topK|mass)\\(([0-9.eE+-]+)(?:,([0-9.eE+-]+))?\\)")
            .matcher(text.replace(" ", ""));
    try {
      if (text.contains("<") && text.startsWith("budget(") && text.endsWith(")")) {
        return Graded.parse(text.substring("budget(".length(), text.length() - 1));
      }
      if (matcher.matches() && (matcher.group(3) == null || matcher.group(1).equals("mass"))) {
        double first = Double.parseDouble(matcher.group(2));
        switch (matcher.group(1)) {
          case "budget":
            return new Budget(first);
          case "topK":
            return matcher.group(2).matches("\\d+")
                ? new TopClusters(Integer.parseInt(matcher.group(2)))
                : new TopShare(first);
          default:
            String least = matcher.group(3);
            return new Mass(first, least == null ? 0.1 : Double.parseDouble(least));
        }
      }
    } catch (NumberFormatException e) {
      // falls through to the one message below
    }
    throw new UsageException(
        "Unknown selection rule '" + text + "'", "Use budget(.1), topK(64), topK(.15) or mass(.9)");
  }
}
