package dev.gossamer.lm;

import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import dev.gossamer.tensor.settings.Words;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The keys of a model's document that tell its attention. */
final class AttentionDocument {
  private AttentionDocument() {}

  static AttentionSettings read(SettingsFile file, int hidden, int heads) {
    SettingsFile latent = file.part("latentAttention");
    if (file.has("latentAttention")) {
      return latent.build(
          () ->
              new AttentionSettings.Latent(
                  heads,
                  latent.whole("queryRank", 0),
                  latent.whole("rank"),
                  latent.whole("plainDim"),
                  latent.whole("rotaryDim"),
                  latent.whole("valueDim"),
                  rotary(file),
                  latent.real("scoreScale", 1)));
    }
    if (!file.has("headDim") && hidden % Math.max(1, heads) != 0) {
      throw new UsageException(
          heads + " heads do not divide a hidden width of " + hidden, "Name a headDim");
    }
    return new AttentionSettings.Grouped(
        heads,
        file.whole("kvHeads", heads),
        file.whole("headDim", hidden / Math.max(1, heads)),
        file.choice("positions", Positions.class, Positions.ROPE),
        rotary(file),
        file.flag("attentionBias", false),
        file.flag("headNorm", false));
  }

  private static Rotary rotary(SettingsFile file) {
    SettingsFile yarn = file.part("yarn");
    Optional<Rotary.Yarn> stretch =
        file.has("yarn")
            ? Optional.of(
                yarn.build(
                    () ->
                        new Rotary.Yarn(
                            yarn.real("factor"),
                            yarn.whole("trained"),
                            yarn.real("fast", 32),
                            yarn.real("slow", 1),
                            yarn.flag("whole", true),
                            yarn.real("size", 1))))
            : Optional.empty();
    return new Rotary(file.real("ropeTheta", 10_000), stretch);
  }

  static void write(Map<String, Object> document, AttentionSettings attention) {
    document.put("heads", attention.heads());
    if (attention instanceof AttentionSettings.Latent latent) {
      Map<String, Object> part = new LinkedHashMap<>();
      part.put("queryRank", latent.queryRank());
      part.put("rank", latent.rank());
      part.put("plainDim", latent.plainDim());
      part.put("rotaryDim", latent.rotaryDim());
      part.put("valueDim", latent.valueDim());
      part.put("scoreScale", latent.scoreScale());
      document.put("latentAttention", part);
    } else if (attention instanceof AttentionSettings.Grouped grouped) {
      document.put("kvHeads", grouped.kvHeads());
      document.put("headDim", grouped.headDim());
      document.put("positions", Words.of(grouped.positions()));
      document.put("attentionBias", grouped.bias());
      document.put("headNorm", grouped.headNorm());
    }
    document.put("ropeTheta", attention.rotary().theta());
    attention
        .rotary()
        .yarn()
        .ifPresent(
            yarn -> {
              Map<String, Object> part = new LinkedHashMap<>();
              part.put("factor", yarn.factor());
              part.put("trained", yarn.trained());
              part.put("fast", yarn.fast());
              part.put("slow", yarn.slow());
              part.put("whole", yarn.whole());
              part.put("size", yarn.size());
              document.put("yarn", part);
            });
  }
}
