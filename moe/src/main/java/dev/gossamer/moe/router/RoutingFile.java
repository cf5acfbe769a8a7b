package dev.gossamer.moe.router;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.SafetensorsFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The routing of a run on disk, to be forced on another: a safetensors file with {@code
 * LAYER.rank.N.experts} (int32, -1 for padding) and {@code LAYER.rank.N.weights} (float32), both
 * {@code [tokens, topK]}, for every layer and rank.
 *
 * <p>A replay forces the experts. Their weights are the gate's again, through which it learns;
 * those of the file are there to be compared, and only checked.
 */
public final class RoutingFile {
  private final SafetensorsFile file;

  private RoutingFile(SafetensorsFile file) {
    this.file = file;
  }

  /**
   * @throws BadInputException if it is no safetensors file
   */
  public static RoutingFile open(Path path) {
    return new RoutingFile(SafetensorsFile.open(path));
  }

  /**
   * Gathers what all ranks chose and lets rank 0 write it, whole or not at all.
   *
   * @param ranks all of which call this with the same layers in the same order
   * @throws dev.gossamer.tensor.failure.EnvironmentException on rank 0, if it cannot be written
   */
  public static void write(Path path, Communicator ranks, Map<String, RecordedRouting> layers) {
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      layers.forEach((layer, own) -> gather(tensors, ranks, layer, own));
      if (ranks.rank() == 0) {
        SafetensorsWriter.write(path, tensors, Map.of("format", "gossamer routing 1"));
      }
    }
  }

  private static void gather(
      Map<String, Tensor> into, Communicator ranks, String layer, RecordedRouting own) {
    int topK = own.routing().topK();
    int[] tokens = ranks.allGather(Tensor.of(new int[] {own.routing().tokens()}, 1)).toInts();
    int most = Math.max(1, Arrays.stream(tokens).max().orElse(1)); // all send as much
    Tensor experts =
        ranks.allGather(Tensor.of(Arrays.copyOf(own.routing().expert(), most * topK), most, topK));
    Tensor weights =
        ranks.allGather(Tensor.of(Arrays.copyOf(own.weights(), most * topK), most, topK));
    for (int rank = 0; rank < ranks.size(); rank++) {
      into.put(
          name(layer, rank, "experts"),
          experts.select(0, rank).narrow(0, 0, tokens[rank]).contiguous());
      into.put(
          name(layer, rank, "weights"),
          weights.select(0, rank).narrow(0, 0, tokens[rank]).contiguous());
    }
  }

  private static String name(String layer, int rank, String what) {
    return layer + ".rank." + rank + "." + what;
  }

  /**
   * What a rank's tokens chose. The other ranks' choices are checked too, so that all ranks refuse
   * a bad file alike.
   *
   * @throws BadInputException if the file lacks the layer, was made on another number of ranks or
   *     for another shape, names an expert that there is not, or twice for one token, or a weight
   *     is no number
   */
  public Routing routing(RoutedLayer layer, int rank, int ranks) {
    if (file.entries().containsKey(name(layer.name(), ranks, "experts"))) {
      throw refused("it was recorded on more than " + ranks + " ranks", "Replay on as many ranks");
    }
    Routing own = null;
    for (int peer = 0; peer < ranks; peer++) {
      int[] experts = checked(layer, peer);
      if (peer == rank) {
        int tokens = experts.length / layer.topK();
        if (tokens != layer.tokens()) {
          throw refused(
              name(layer.name(), peer, "experts")
                  + " has "
                  + tokens
                  + " tokens, not "
                  + layer.tokens(),
              "Replay with as many tokens");
        }
        own = new Routing(tokens, layer.topK(), layer.experts(), experts);
      }
    }
    return own;
  }

  private int[] checked(RoutedLayer layer, int rank) {
    try (Scope scope = Scope.open()) {
      String name = name(layer.name(), rank, "experts");
      int[] experts = tensor(name, DType.INT32, layer.topK()).toInts();
      for (int slot = 0; slot < experts.length; slot++) {
        refuseWrong(experts, slot, layer, name);
      }
      String weights = name(layer.name(), rank, "weights");
      float[] values = tensor(weights, DType.FLOAT32, layer.topK()).toFloats();
      if (values.length != experts.length) {
        throw refused(
            weights + " has " + values.length + " numbers, " + name + " " + experts.length, "");
      }
      for (int slot = 0; slot < values.length; slot++) {
        if (!Float.isFinite(values[slot])) {
          throw refused(
              weights + " gives token " + slot / layer.topK() + " the weight " + values[slot],
              "Record it again");
        }
      }
      return experts;
    }
  }

  private void refuseWrong(int[] experts, int slot, RoutedLayer layer, String name) {
    int expert = experts[slot];
    int token = slot / layer.topK();
    if (expert < Routing.DROPPED || expert >= layer.experts()) {
      throw refused(
          name + " sends token " + token + " to expert " + expert + " of " + layer.experts(),
          "Replay on a layer with as many experts");
    }
    for (int before = token * layer.topK(); before < slot; before++) {
      if (expert != Routing.DROPPED && experts[before] == expert) {
        throw refused(name + " sends token " + token + " twice to expert " + expert, "");
      }
    }
  }

  private Tensor tensor(String name, DType dtype, int topK) {
    SafetensorsFile.Entry entry = file.entries().get(name);
    if (entry == null) {
      throw refused("it has no " + name, "Replay with the top-k and ranks of the recorded run");
    }
    List<Long> shape = entry.shape();
    if (entry.dtype() != dtype || shape.size() != 2 || shape.get(1) != topK) {
      throw refused(
          name
              + " is "
              + entry.dtype().safetensorsName()
              + " "
              + shape
              + ", not "
              + dtype.safetensorsName()
              + " [tokens, "
              + topK
              + "]",
          "");
    }
    if (entry.bytes() > Integer.MAX_VALUE) {
      throw refused(name + " has " + entry.bytes() + " bytes, more than a layer routes", "");
    }
    return file.tensor(name);
  }

  private BadInputException refused(String found, String remedy) {
    return new BadInputException("Cannot replay " + this + ": " + found, remedy);
  }

  @Override
  public String toString() {
    return file.path().toString();
  }
}
