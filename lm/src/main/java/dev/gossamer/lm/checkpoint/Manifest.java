package dev.gossamer.lm.checkpoint;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a checkpoint says of itself. It is written last, and beside it a checksum of its own.
 *
 * @param step steps made
 * @param samples that were learnt from: where the order of samples goes on
 * @param settings of the run, as an object of JSON; its seed stands for all random numbers
 * @param ranks that saved it
 * @param expertRanks of them that shared a set of experts
 * @param bestStep with the lowest bits per byte so far; -1 if none was measured
 * @param bestBits those bits per byte
 * @param routerBias of each layer with experts
 * @param files the others of the folder
 */
public record Manifest(
    long step,
    long samples,
    ObjectNode settings,
    int ranks,
    int expertRanks,
    long bestStep,
    double bestBits,
    List<double[]> routerBias,
    List<StoredFile> files) {
  static final String NAME = "manifest.json";
  private static final String CHECK = "manifest.sha256";
  private static final String KIND = "gossamer checkpoint";
  private static final int VERSION = 1;

  public Manifest {
    routerBias = List.copyOf(routerBias);
    files = List.copyOf(files);
  }

  Manifest withFiles(List<StoredFile> others) {
    return new Manifest(
        step, samples, settings, ranks, expertRanks, bestStep, bestBits, routerBias, others);
  }

  void write(Path folder) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("kind", KIND);
    document.put("version", VERSION);
    document.put("step", step);
    document.put("samples", samples);
    document.put("ranks", ranks);
    document.put("expertRanks", expertRanks);
    document.put("bestStep", bestStep);
    document.put("bestBitsPerByte", bestStep < 0 ? null : bestBits);
    document.put("settings", settings);
    document.put("routerBias", routerBias);
    document.put("files", files);
    byte[] json;
    try {
      json =
          new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsBytes(document);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
    PartFile.write(folder.resolve(CHECK), StoredFile.sum(json).getBytes(StandardCharsets.US_ASCII));
    PartFile.write(folder.resolve(NAME), json);
  }

  /**
   * @throws BadInputException if it is missing or not as it was written
   */
  static Manifest read(Path folder) {
    Path path = folder.resolve(NAME);
    if (!Files.isRegularFile(path)) {
      throw new BadInputException(
          folder + " is no checkpoint: it has no " + NAME, "It was not finished, or is none");
    }
    try {
      byte[] json = Files.readAllBytes(path);
      String sum = Files.readString(folder.resolve(CHECK), StandardCharsets.US_ASCII).strip();
      if (!sum.equals(StoredFile.sum(json))) {
        throw damaged(path, "it is not as it was written", null);
      }
      return of(path, new ObjectMapper().readTree(json));
    } catch (IOException e) {
      throw damaged(path, PartFile.reason(e), e);
    }
  }

  private static Manifest of(Path path, JsonNode root) {
    if (!root.path("kind").asText().equals(KIND) || root.path("version").asInt() != VERSION) {
      throw damaged(
          path,
          "it is '" + root.path("kind").asText() + "', version " + root.path("version").asText(),
          null);
    }
    List<double[]> bias = new ArrayList<>();
    for (JsonNode layer : root.path("routerBias")) {
      double[] values = new double[layer.size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = layer.path(i).asDouble();
      }
      bias.add(values);
    }
    List<StoredFile> files = new ArrayList<>();
    for (JsonNode file : root.path("files")) {
      files.add(
          new StoredFile(
              file.path("name").asText(),
              file.path("bytes").asLong(),
              file.path("sha256").asText()));
    }
    return new Manifest(
        root.path("step").asLong(),
        root.path("samples").asLong(),
        (ObjectNode) root.path("settings"),
        root.path("ranks").asInt(),
        root.path("expertRanks").asInt(),
        root.path("bestStep").asLong(),
        root.path("bestBitsPerByte").asDouble(Double.NaN),
        bias,
        files);
  }

  private static BadInputException damaged(Path path, String found, Exception cause) {
    return new BadInputException(
        "Cannot use " + path + ": " + found, "Use another checkpoint", cause);
  }
}
