package dev.gossamer.video;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.attention.AttentionMethod;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Everything that decides the latents of a run, as plain text by name, so that two runs can be told
 * apart and the difference named.
 *
 * @param facts values by name, ordered
 */
record RunIdentity(Map<String, String> facts) {
  private static final ObjectMapper JSON = new ObjectMapper();

  RunIdentity {
    facts = new TreeMap<>(facts);
  }

  /**
   * @param noise SHA-256 of the starting noise's bytes
   */
  static RunIdentity of(
      VideoRequest request, ModelOptions options, List<FileFingerprint> weights, String noise) {
    Map<String, String> facts = new TreeMap<>();
    facts.put("prompt", request.prompt());
    facts.put("negative", request.negative());
    facts.put("frames", "" + request.frames());
    facts.put("size", request.width() + "x" + request.height());
    facts.put("steps", "" + request.steps());
    facts.put("guidance", "" + request.guidance());
    facts.put("true guidance", "" + request.trueGuidance());
    facts.put("seed", "" + request.seed());
    facts.put("dtype", options.dtype().optionName());
    facts.put("device", options.device().toString());
    facts.put("noise", noise);
    for (int i = 0; i < options.loras().size(); i++) {
      LoraFile lora = options.loras().get(i);
      facts.put("LoRA " + (i + 1), lora.file().getFileName() + " at " + lora.scale());
    }
    request.image().ifPresent(file -> facts.put("image", Sha256.of(file)));
    AttentionMethod attention = request.attention();
    facts.put("attention", attention.name());
    attention.settings().forEach((name, value) -> facts.put("attention " + name, "" + value));
    weights.forEach(file -> facts.put("weights " + file.file(), file.sha256()));
    return new RunIdentity(facts);
  }

  static RunIdentity parse(String json) throws JsonProcessingException {
    return new RunIdentity(JSON.readValue(json, new TypeReference<Map<String, String>>() {}));
  }

  String json() {
    try {
      return JSON.writeValueAsString(facts);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("Texts by name are always JSON", e);
    }
  }

  /** What is different in the other, in words; empty if nothing is. */
  Optional<String> difference(RunIdentity other) {
    TreeSet<String> names = new TreeSet<>(facts.keySet());
    names.addAll(other.facts.keySet());
    return names.stream()
        .filter(name -> !Objects.equals(facts.get(name), other.facts.get(name)))
        .findFirst()
        .map(
            name ->
                name
                    + " was "
                    + facts.getOrDefault(name, "absent")
                    + " and is now "
                    + other.facts.getOrDefault(name, "absent"));
  }
}
