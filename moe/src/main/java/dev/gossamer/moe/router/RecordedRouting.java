package dev.gossamer.moe.router;

/**
 * What a rank's tokens chose in one layer, with the weights of the choices.
 *
 * @param routing the choice before capacity dropped any
 * @param weights {@code [tokens * topK]}
 */
public record RecordedRouting(Routing routing, float[] weights) {
  public RecordedRouting {
    if (weights.length != routing.expert().length) {
      throw new IllegalArgumentException(
          weights.length + " weights of " + routing.expert().length + " slots");
    }
  }

  /** Copies a choice, which dies with its scope. */
  public static RecordedRouting of(Choice choice) {
    return new RecordedRouting(choice.chosen(), choice.weights().toFloats());
  }
}
