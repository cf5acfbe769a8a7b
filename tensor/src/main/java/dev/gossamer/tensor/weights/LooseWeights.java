package dev.gossamer.tensor.weights;

import dev.gossamer.tensor.Scope;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/**
 * Weights of one part of a model in files that may use other names than the model, asked about by
 * the model's own.
 *
 * @param files without what stands before each name
 * @param others what tensors are called there; empty if as in the model
 */
public record LooseWeights(TensorFiles files, Optional<NameTable> others) {
  /**
   * @param stored as the files name their tensors, with any prefix
   * @param sign the model's name of a tensor that no other part has
   * @param others what tensors may be called instead
   * @return empty if the sign is there under neither name
   */
  public static Optional<LooseWeights> find(TensorFiles stored, String sign, NameTable others) {
    return find(stored, sign)
        .or(
            () ->
                stored
                    .prefixOf(others.of(sign))
                    .map(
                        prefix ->
                            new LooseWeights(
                                stored.under(prefix).unscaled(), Optional.of(others))));
  }

  /** As {@link #find(TensorFiles, String, NameTable)}, under the model's own names only. */
  public static Optional<LooseWeights> find(TensorFiles stored, String sign) {
    return stored
        .prefixOf(sign)
        .map(prefix -> new LooseWeights(stored.under(prefix).unscaled(), Optional.empty()));
  }

  private String stored(String name) {
    return others.map(table -> table.of(name)).orElse(name);
  }

  public boolean has(String name) {
    return files.has(stored(name));
  }

  /**
   * One size of what is stored for a tensor, which may be more than the tensor.
   *
   * @throws dev.gossamer.tensor.failure.BadInputException if there is no such tensor
   */
  public int size(String name, int axis) {
    return files.size(stored(name), axis);
  }

  /** Axes of what is stored for a tensor; 0 if there is none. */
  public int rank(String name) {
    return has(name) ? files.entries().get(stored(name)).shape().size() : 0;
  }

  /** How many there are of something numbered from 0, told by one of its tensors. */
  public int count(IntFunction<String> name) {
    return files.count(i -> stored(name.apply(i)));
  }

  /**
   * The tensors under the model's names.
   *
   * @param exact the other names with the rows that each tensor is of what is stored
   * @param model asks for all of its tensors
   */
  public TensorFiles renamed(NameTable exact, Consumer<Parameters> model) {
    if (others.isEmpty()) {
      return files;
    }
    try (Scope scope = Scope.open();
        Scope owner = Scope.detached()) {
      Parameters outline = Parameters.outline(owner);
      model.accept(outline);
      return files.renamed(exact.places(outline.asked().keySet()));
    }
  }
}
