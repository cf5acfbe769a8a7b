package dev.gossamer.lm.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.settings.SettingsFile;
import java.util.Map;

/** Training runs of a second. */
public final class TinyRuns {
  private static final String BIG_MAC =
      """
      {"model": {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": 24,
        "heads": 2, "experts": {"count": 8, "topK": 2, "inner": 16, "latent": 4},
        "router": {"scope": "sequence", "balance": 0.01}},
       "steps": 20, "sequence": 24, "batch": 8, "microBatch": 2, "dtype": "fp64", "logEvery": 1,
       "optimizer": {"learningRate": 0.01, "warmup": 5}}
      """;

  private TinyRuns() {}

  public static ObjectNode tree(String... replaced) {
    try {
      ObjectMapper mapper = new ObjectMapper();
      ObjectNode root = (ObjectNode) mapper.readTree(BIG_MAC);
      for (String text : replaced) {
        merge(root, (ObjectNode) mapper.readTree(text));
      }
      return root;
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private static void merge(ObjectNode into, ObjectNode more) {
    for (Map.Entry<String, JsonNode> entry : more.properties()) {
      if (entry.getValue().isNull()) {
        into.remove(entry.getKey());
      } else if (entry.getValue() instanceof ObjectNode part
          && into.path(entry.getKey()) instanceof ObjectNode old) {
        merge(old, part);
      } else {
        into.set(entry.getKey(), entry.getValue());
      }
    }
  }

  /** A BigMac model of 16 wide, with some keys replaced at any depth. */
  public static TrainSettings settings(String... replaced) {
    return TrainSettings.read(SettingsFile.of("test", tree(replaced)));
  }
}
