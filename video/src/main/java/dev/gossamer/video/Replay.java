package dev.gossamer.video;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.attention.AttentionCatalog;
import dev.gossamer.attention.AttentionOptions;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Makes the video of a report again, and says whether it came out the same and, if not, what is
 * different here.
 */
public final class Replay {
  private final Path file;
  private final JsonNode report;

  private Replay(Path file, JsonNode report) {
    this.file = file;
    this.report = report;
  }

  /**
   * What came of it.
   *
   * @param result the video that was made now
   * @param sameFrames whether every pixel of every frame is the same
   * @param sameVideo whether the video file is the same byte for byte
   * @param differences what is different here, in words; may name some even if the video is the
   *     same
   */
  public record Outcome(
      VideoResult result, boolean sameFrames, boolean sameVideo, List<String> differences) {
    public Outcome {
      differences = List.copyOf(differences);
    }
  }

  /**
   * Reads a report.
   *
   * @throws BadInputException if it is not one of this version's
   */
  public static Replay read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new BadInputException(
          "Cannot replay "
              + file
              + (Files.isDirectory(file) ? ": it is a folder" : ": no such file"),
          "Name the .json beside a video");
    }
    try {
      JsonNode report = new ObjectMapper().readTree(file.toFile());
      if (report != null && report.path("format").asText().equals(RunReport.FORMAT)) {
        return new Replay(file, report);
      }
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot replay " + file + ": it is not valid JSON", "Name the .json beside a video", e);
    }
    throw new BadInputException(
        "Cannot replay " + file + ": it is not a report of this version of Gossamer",
        "Name the .json beside a video; its format must be '" + RunReport.FORMAT + "'");
  }

  /** The checkpoint that was used, where it was then. */
  public CheckpointSource source() {
    return guarded(
        () -> {
          Map<String, Path> parts = new TreeMap<>();
          report
              .at("/settings/parts")
              .properties()
              .forEach(part -> parts.put(part.getKey(), path(part.getValue().asText())));
          return new CheckpointSource(
              text("model").isEmpty() ? Optional.empty() : Optional.of(path(text("model"))), parts);
        });
  }

  /** How the model was loaded then. */
  public ModelOptions options() {
    return guarded(
        () ->
            ModelOptions.defaults()
                .withDtype(DType.ofOption(text("dtype")))
                .withDecoderDtype(DType.ofOption(text("decoderDtype")))
                .withDevice(Device.of(text("device")))
                .withThreads(whole("threads"))
                .withTiles(Tiles.valueOf(text("tiles").toUpperCase(Locale.ROOT)))
                .withOffload(Offload.valueOf(text("offload").toUpperCase(Locale.ROOT)))
                .withLoras(loras()));
  }

  private List<LoraFile> loras() {
    List<LoraFile> loras = new ArrayList<>();
    report
        .at("/settings/loras")
        .forEach(
            lora ->
                loras.add(
                    new LoraFile(path(lora.path("file").asText()), lora.path("scale").asDouble())));
    return loras;
  }

  /** What was asked for then. */
  public VideoRequest request() {
    return guarded(
        () -> {
          JsonNode attention = setting("attention");
          AttentionOptions options = AttentionOptions.defaults();
          for (Map.Entry<String, JsonNode> value : attention.path("settings").properties()) {
            options = options.withSetting(value.getKey(), value.getValue().asText());
          }
          return new VideoRequest(
              report.path("prompt").asText(),
              report.path("negative").asText(),
              whole("frames"),
              whole("width"),
              whole("height"),
              whole("steps"),
              setting("guidance").asDouble(),
              report.at("/settings/trueGuidance").asDouble(1), // absent from older reports
              report.path("seed").asLong(),
              AttentionCatalog.create(attention.path("method").asText(), options),
              report.at("/settings/image").asText().isEmpty()
                  ? Optional.empty()
                  : Optional.of(path(text("image"))));
        });
  }

  /** The run that repeats it, with the starting noise of then. */
  public RunOptions run(Path out) {
    RunOptions run = RunOptions.to(out);
    return text("noise").isEmpty() ? run : run.withNoise(path(text("noise")));
  }

  /**
   * Makes the video again.
   *
   * @param model opened from {@link #source} or another folder with {@link #options}
   * @param out where the new video goes
   */
  public Outcome replay(TextToVideo model, Path out, Progress progress) {
    VideoResult result = model.generate(request(), run(out), progress);
    RunReport now = result.report();
    boolean frames = now.framesSha256().equals(report.path("framesSha256").asText());
    boolean video = sha(report, ".mp4").equals(sha(tree(now), ".mp4"));
    return new Outcome(result, frames, video, differences(now));
  }

  private List<String> differences(RunReport now) {
    JsonNode here = tree(now);
    List<String> lines = new ArrayList<>();
    compare("versions", here, lines);
    for (String fact : List.of("system", "processor", "instructions", "java")) {
      compare("machine." + fact, report.at("/machine/" + fact), here.at("/machine/" + fact), lines);
    }
    compare("noise", report.path("noiseSha256"), here.path("noiseSha256"), lines);
    Map<String, String> then = weights(report);
    Map<String, String> today = weights(here);
    TreeSet<String> files = new TreeSet<>(then.keySet());
    files.addAll(today.keySet());
    for (String name : files) {
      if (!then.getOrDefault(name, "").equals(today.getOrDefault(name, ""))) {
        lines.add("weights " + name + " are not the same");
      }
    }
    compare("latents", report.path("latentsSha256"), here.path("latentsSha256"), lines);
    compare("frames", report.path("framesSha256"), here.path("framesSha256"), lines);
    if (!sha(report, ".mp4").equals(sha(here, ".mp4"))) {
      lines.add("the bytes of the video file are not the same");
    }
    return lines;
  }

  private void compare(String group, JsonNode here, List<String> lines) {
    TreeSet<String> names = new TreeSet<>();
    report.path(group).fieldNames().forEachRemaining(names::add);
    here.path(group).fieldNames().forEachRemaining(names::add);
    for (String name : names) {
      compare(
          group + "." + name, report.path(group).path(name), here.path(group).path(name), lines);
    }
  }

  private static void compare(String what, JsonNode then, JsonNode now, List<String> lines) {
    if (!then.equals(now)) {
      lines.add(what + " was " + shown(then) + ", here it is " + shown(now));
    }
  }

  private static String shown(JsonNode value) {
    String text = value.isValueNode() ? value.asText() : value.toString();
    return text.matches("[0-9a-f]{64}") ? text.substring(0, 12) : text.isEmpty() ? "absent" : text;
  }

  private static Map<String, String> weights(JsonNode report) {
    Map<String, String> files = new TreeMap<>();
    report
        .path("weights")
        .forEach(file -> files.put(file.path("file").asText(), file.path("sha256").asText()));
    return files;
  }

  private static String sha(JsonNode report, String ending) {
    for (JsonNode output : report.path("outputs")) {
      String name = output.path("file").asText();
      if (name.endsWith(ending) && !name.endsWith(".compare" + ending)) {
        return output.path("sha256").asText();
      }
    }
    return "";
  }

  private static JsonNode tree(RunReport report) {
    try {
      return new ObjectMapper().readTree(report.json());
    } catch (IOException e) {
      throw new IllegalStateException("A report is always JSON", e);
    }
  }

  private JsonNode setting(String name) {
    JsonNode value = report.path("settings").path(name);
    if (value.isMissingNode()) {
      throw damaged("its settings lack '" + name + "'", null);
    }
    return value;
  }

  private String text(String name) {
    return setting(name).asText();
  }

  private int whole(String name) {
    return setting(name).asInt();
  }

  private Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw damaged("'" + text + "' is no path", e);
    }
  }

  private <T> T guarded(java.util.function.Supplier<T> reading) {
    try {
      return reading.get();
    } catch (GossamerException e) {
      throw damaged(e.getMessage(), e);
    } catch (IllegalArgumentException e) {
      throw damaged("a setting is none of this version's", e);
    }
  }

  private BadInputException damaged(String what, Exception cause) {
    return new BadInputException(
        "Cannot replay " + file + ": " + what, "Was the report changed by hand?", cause);
  }
}
