package dev.gossamer.lm.huggingface;

import dev.gossamer.lm.ModelSettings;
import dev.gossamer.moe.ExpertBody;
import dev.gossamer.moe.MoeStructure;
import dev.gossamer.tensor.weights.StoredAs;
import dev.gossamer.tensor.weights.StoredAs.Rows;
import dev.gossamer.tensor.weights.TensorFiles;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Experts that stand in one tensor for a layer, as transformers has them in memory: {@code
 * gate_up_proj} {@code [experts, 2 inner, width]}, the gate's rows first, and {@code down_proj}
 * {@code [experts, width, inner]}; of plain experts {@code up_proj} and {@code down_proj}. They are
 * seen as the tensors of one expert each that released files have.
 */
final class ExpertStacks {
  private ExpertStacks() {}

  /** The tensors of a folder under the names of released files. */
  static TensorFiles apart(TensorFiles files, ModelFamily family, ModelSettings settings) {
    Map<String, StoredAs> names = new HashMap<>();
    for (String stored : files.entries().keySet()) {
      String released = family.released(stored);
      if (!released.equals(stored)) {
        names.put(released, StoredAs.all(stored));
      }
    }
    TensorFiles all = files.renamed(names);
    Map<String, StoredAs> places = new HashMap<>();
    settings
        .experts()
        .ifPresent(
            moe -> {
              for (int layer = 0; layer < settings.layers(); layer++) {
                if (settings.hasExperts(layer)) {
                  places.putAll(places(all, family, moe.structure(), layer));
                }
              }
            });
    return all.renamed(places);
  }

  private static Map<String, StoredAs> places(
      TensorFiles files, ModelFamily family, MoeStructure shape, int layer) {
    String ours = "layers." + layer + ".moe.experts.";
    String first = family.nameOf(ours + "0.w1");
    String stack = first.substring(0, first.lastIndexOf("experts.0.")) + "experts.";
    boolean gated = shape.body() == ExpertBody.GATED;
    String up = stack + (gated ? "gate_up_proj" : "up_proj");
    String down = stack + "down_proj";
    long rows = (gated ? 2L : 1L) * shape.inner();
    requireShape(files, up, shape.experts(), rows, shape.wireWidth());
    requireShape(files, down, shape.experts(), shape.wireWidth(), shape.inner());
    Map<String, StoredAs> places = new HashMap<>();
    for (int expert = 0; expert < shape.experts(); expert++) {
      String one = ours + expert;
      if (files.has(down)) {
        places.put(family.nameOf(one + ".w2"), StoredAs.ofStack(down, expert, List.of()));
      }
      if (files.has(up) && !gated) {
        places.put(family.nameOf(one + ".w1"), StoredAs.ofStack(up, expert, List.of()));
      } else if (files.has(up)) {
        long inner = shape.inner();
        Rows gate = new Rows(0, inner);
        Rows upper = new Rows(inner, inner);
        places.put(family.nameOf(one + ".w1"), StoredAs.ofStack(up, expert, List.of(gate)));
        places.put(family.nameOf(one + ".w3"), StoredAs.ofStack(up, expert, List.of(upper)));
      }
    }
    return places;
  }

  private static void requireShape(TensorFiles files, String name, long... wanted) {
    if (files.has(name)) {
      List<Long> shape = files.entries().get(name).shape();
      ImportedFolder.requireShape(
          files, name, shape.stream().mapToLong(Long::longValue).toArray(), wanted);
    }
  }
}
