package dev.gossamer.bench.attention;

import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.attention.adacluster.AdaClusterSettings;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An attention method with options, as a short text names it: {@code NAME[@DENSITY][+SETTING=VALUE
 * ...]}, where the name is a preset of AdaCluster ({@code paper}, {@code cluster}, {@code default})
 * or a method ({@code dense}, {@code svg2}, {@code sparge}). For example {@code paper@.25} or
 * {@code default@.1+kk=800+tail=off}.
 *
 * @param label the text
 * @param method name in the {@link AttentionCatalog}
 * @param options what the text says beside the name
 */
public record AttentionSubject(String label, String method, AttentionOptions options) {
  private static final Pattern FORM =
      Pattern.compile("([A-Za-z0-9]+)(?:@([0-9.]+))?((?:\\+[A-Za-z0-9]+=[^+]+)*)");

  /**
   * @throws UsageException if the text has another form, or names what does not exist
   */
  public static AttentionSubject parse(String text) {
    Matcher matcher = FORM.matcher(text.trim());
    if (!matcher.matches()) {
      throw unreadable(text);
    }
    String name = matcher.group(1);
    boolean preset = AdaClusterSettings.presets().containsKey(name);
    AttentionOptions options = AttentionOptions.defaults();
    if (preset) {
      options = options.withPreset(name);
    }
    if (matcher.group(2) != null) {
      options = options.withDensity(density(text, matcher.group(2)));
    }
    for (String setting : matcher.group(3).split("\\+")) {
      if (!setting.isEmpty()) {
        String[] pair = setting.split("=", 2);
        options = options.withSetting(pair[0], pair[1]);
      }
    }
    AttentionSubject subject =
        new AttentionSubject(text.trim(), preset ? "adacluster" : name, options);
    subject.create();
    return subject;
  }

  /** Reads several, separated by commas; commas inside brackets belong to a setting. */
  public static List<AttentionSubject> parseAll(String texts) {
    return Arrays.stream(texts.split(",(?![^(\\[]*[)\\]])")).map(AttentionSubject::parse).toList();
  }

  private static double density(String text, String number) {
    try {
      return Double.parseDouble(number);
    } catch (NumberFormatException e) {
      throw unreadable(text);
    }
  }

  private static UsageException unreadable(String text) {
    return new UsageException(
        "Cannot read the attention '" + text.trim() + "'",
        "Write NAME, NAME@DENSITY or NAME@DENSITY+setting=value, as in paper@.25");
  }

  /** With a setting more; methods without settings stay as they are. */
  AttentionSubject with(String setting, String value) {
    return method.equals("dense")
        ? this
        : new AttentionSubject(label, method, options.withSetting(setting, value));
  }

  /**
   * The same where only attention itself is looked at: no step, no layer and no sequence is too
   * early, too special or too short to be clustered.
   */
  AttentionSubject everywhere() {
    return with("denseSteps", "0").with("denseLayers", "[]").with("minTokens", "0");
  }

  /** The method, made anew. */
  public AttentionMethod create() {
    return AttentionCatalog.create(method, options);
  }
}
