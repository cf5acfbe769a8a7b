package dev.gossamer.cli;

import dev.gossamer.video.CostPlan;
import dev.gossamer.video.MemoryPlan;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What a video will cost, as it is printed before the run and by {@code --dry-run}.
 *
 * @param request what is to be drawn
 * @param cost its floating-point operations
 * @param memory what it needs
 * @param remedy what to do if it does not fit, else empty
 */
record PlanText(VideoRequest request, CostPlan cost, MemoryPlan memory, String remedy) {
  /** More weights than this are large: the plan is then shown before they are loaded. */
  private static final long LARGE = 1L << 30;

  static PlanText of(TextToVideo model, VideoRequest request) {
    MemoryPlan memory = model.memory(request);
    return new PlanText(request, model.cost(request), memory, model.remedy(request, memory));
  }

  /** Whether loading the model takes so long that a person wants to see the plan before it. */
  boolean beforeLoading() {
    return memory.parts().stream().mapToLong(MemoryPlan.Part::weights).sum() > LARGE;
  }

  /** In one line. */
  String line() {
    return String.format(
        Locale.ROOT,
        "%d frames of %dx%d, %d steps, %d tokens, %s with dense attention; memory %s",
        request.frames(),
        request.width(),
        request.height(),
        request.steps(),
        cost.tokens(),
        Amounts.flops(cost.totalFlops()),
        needed());
  }

  /** In a few lines, with the parts. */
  String text() {
    StringBuilder text = new StringBuilder();
    line(
        text,
        "Video",
        String.format(
            Locale.ROOT,
            "%d frames of %dx%d, %d steps, guidance %s, seed %d, attention %s",
            request.frames(),
            request.width(),
            request.height(),
            request.steps(),
            request.guidance(),
            request.seed(),
            request.attention().name()));
    line(text, "Tokens", cost.tokens() + " in each self-attention");
    line(
        text,
        "Compute",
        String.format(
            Locale.ROOT,
            "%s with dense attention: text %s, transformer %d x %s (attention %.0f %%), decode %s",
            Amounts.flops(cost.totalFlops()),
            Amounts.flops(cost.textFlops()),
            cost.passes(),
            Amounts.flops(cost.passFlops()),
            100 * cost.attentionFlops() / cost.passFlops(),
            Amounts.flops(cost.decodeFlops())));
    line(text, "Memory", needed());
    if (memory.image() > 0) {
      line(
          text,
          "  image",
          Amounts.bytes(memory.image()) + " to encode the picture, before the rest");
    }
    for (MemoryPlan.Part part : memory.parts()) {
      line(
          text,
          "  " + part.part().label(),
          Amounts.bytes(part.weights())
              + " of weights, "
              + Amounts.bytes(part.work())
              + " to work");
    }
    return text.toString().stripTrailing();
  }

  private String needed() {
    return "needs "
        + Amounts.bytes(memory.needed())
        + (memory.free().isPresent()
            ? ", free " + Amounts.bytes(memory.free().getAsLong())
            : ", free unknown")
        + (memory.fits() ? "" : ": does not fit. " + remedy);
  }

  private static void line(StringBuilder text, String label, String value) {
    text.append(String.format("%-14s%s%n", label, value));
  }

  /** As a JSON document. */
  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("prompt", request.prompt());
    document.put("frames", request.frames());
    document.put("width", request.width());
    document.put("height", request.height());
    document.put("steps", request.steps());
    document.put("guidance", request.guidance());
    document.put("seed", request.seed());
    document.put("attention", request.attention().name());
    document.put("attentionSettings", request.attention().settings());
    document.put("tokens", cost.tokens());
    Map<String, Object> flops = new LinkedHashMap<>();
    flops.put("total", cost.totalFlops());
    flops.put("text", cost.textFlops());
    flops.put("transformerPass", cost.passFlops());
    flops.put("transformerPasses", cost.passes());
    flops.put("attentionPerPass", cost.attentionFlops());
    flops.put("decode", cost.decodeFlops());
    document.put("flops", flops);
    Map<String, Object> bytes = new LinkedHashMap<>();
    bytes.put("neededBytes", memory.needed());
    bytes.put("freeBytes", memory.free().orElse(-1));
    bytes.put("fits", memory.fits());
    bytes.put("remedy", remedy);
    if (memory.image() > 0) {
      bytes.put("imageBytes", memory.image());
    }
    memory.parts().forEach(part -> bytes.put(part.part().label() + "Bytes", part.total()));
    document.put("memory", bytes);
    return document;
  }
}
