package dev.gossamer.cli;

import dev.gossamer.attention.DenseAttention;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.Checkpoint;
import dev.gossamer.video.CheckpointSource;
import dev.gossamer.video.ComponentInspection;
import dev.gossamer.video.ModelOptions;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoFamily;
import dev.gossamer.video.VideoModel;
import dev.gossamer.video.VideoRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What a checkpoint holds, without its weights being loaded.
 *
 * @param folder the model's folder, or its transformer's file
 * @param family the architecture
 * @param name what the checkpoint is
 * @param components its parts
 * @param tokens video tokens in each self-attention, by resolution
 */
record Inspection(
    Path folder,
    String family,
    String name,
    List<ComponentInspection> components,
    Map<String, Long> tokens) {
  /** Frames, width and height whose token counts are shown where the model can draw them. */
  private static final int[][] RESOLUTIONS = {
    {33, 128, 128}, {33, 256, 256}, {49, 720, 480}, {81, 832, 480}, {81, 1280, 720}
  };

  /**
   * @throws BadInputException if the folder is no checkpoint, or its files cannot be read
   */
  static Inspection of(CheckpointSource source) {
    Checkpoint checkpoint = Checkpoint.open(source);
    VideoFamily family = TextToVideo.family(checkpoint);
    List<ComponentInspection> components = family.inspect(checkpoint);
    try (Threads threads = new Threads(1);
        VideoModel model = family.open(checkpoint, ModelOptions.defaults(), threads)) {
      return new Inspection(
          checkpoint.folder(), family.name(), model.name(), components, tokens(model));
    }
  }

  private static Map<String, Long> tokens(VideoModel model) {
    VideoRequest usual = model.defaults().request("any", new DenseAttention());
    Set<VideoRequest> requests = new LinkedHashSet<>();
    for (int[] resolution : RESOLUTIONS) {
      requests.add(usual.withFrames(resolution[0]).withSize(resolution[1], resolution[2]));
    }
    requests.add(usual);
    Map<String, Long> tokens = new LinkedHashMap<>();
    for (VideoRequest request : requests) {
      try {
        model.geometry().check(request.frames(), request.width(), request.height());
      } catch (UsageException e) {
        continue; // not a size of this model
      }
      tokens.put(
          request.width() + "x" + request.height() + ", " + request.frames() + " frames",
          (long) model.tokens(request).tokens());
    }
    return tokens;
  }

  /** Everything that does not fit, each with its component. */
  List<String> problems() {
    List<String> problems = new ArrayList<>();
    components.forEach(
        part -> part.problems().forEach(problem -> problems.add(part.name() + ": " + problem)));
    return problems;
  }

  /**
   * @throws BadInputException if tensors are missing, misshapen or unexpected
   */
  void requireSound() {
    List<String> problems = problems();
    if (!problems.isEmpty()) {
      throw new BadInputException(
          "Cannot use " + folder + ": " + problems.get(0) + more(problems.size() - 1),
          "Is the download complete, and config.json of this model?");
    }
  }

  private static String more(int count) {
    return count == 0 ? "" : ", and " + count + " more";
  }

  String text() {
    StringBuilder text = new StringBuilder();
    text.append(String.format("%s%n%n", name));
    text.append(
        String.format(
            "%-16s%-32s%15s  %7s  %5s  %s%n",
            "component", "class", "parameters", "tensors", "files", "bytes by type"));
    for (ComponentInspection part : components) {
      text.append(
          String.format(
              Locale.ROOT,
              "%-16s%-32s%,15d  %7d  %5d  %s%n",
              part.name(),
              part.className(),
              part.parameters(),
              part.tensors(),
              part.files(),
              new TreeMap<>(part.bytesByType())
                  .entrySet().stream()
                      .map(type -> type.getKey() + " " + Amounts.bytes(type.getValue()))
                      .collect(Collectors.joining(", "))));
    }
    if (components.stream().anyMatch(part -> !part.place().endsWith(part.name()))) {
      text.append(String.format("%nwhere they lie%n"));
      components.forEach(
          part -> text.append(String.format("  %-16s%s%n", part.name(), part.place())));
    }
    text.append(String.format("%ntokens in each self-attention%n"));
    tokens.forEach((size, count) -> text.append(String.format("  %-24s%,d%n", size, count)));
    List<String> problems = problems();
    text.append(
        problems.isEmpty()
            ? String.format("%nall tensors are there and fit%n")
            : String.format("%n%d tensors do not fit%n", problems.size()));
    problems.forEach(problem -> text.append(String.format("  %s%n", problem)));
    return text.toString().stripTrailing();
  }

  Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("folder", folder.toString());
    document.put("family", family);
    document.put("name", name);
    document.put("sound", problems().isEmpty());
    document.put("components", components);
    document.put("tokens", tokens);
    return document;
  }
}
