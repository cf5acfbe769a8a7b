package dev.gossamer.moe;

import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Optional;

/**
 * Everything that a mixture-of-experts layer can be.
 *
 * @param structure widths and numbers
 * @param router how tokens choose
 * @param activation between an expert's matrices
 * @param expertBias whether plain experts have biases
 * @param projectionBias whether BigMac's projections have
 * @param latentNorm whether BigMac normalises the combined narrow rows before they are widened
 * @param gateReadsLatent whether BigMac's gate reads the narrow tokens instead of the wide ones
 * @param sharedInner inner width of an expert that every token visits at the wide stream, without
 *     travelling; 0 for none
 * @param wire type of rows that travel; empty for the layer's own
 * @param chunks parts of the tokens that travel while others are computed
 * @param initialisation of the weights
 */
public record MoeSettings(
    MoeStructure structure,
    RouterSettings router,
    ExpertActivation activation,
    boolean expertBias,
    boolean projectionBias,
    boolean latentNorm,
    boolean gateReadsLatent,
    int sharedInner,
    Optional<DType> wire,
    int chunks,
    Initialisation initialisation) {
  /**
   * @throws UsageException if choices contradict each other
   */
  public MoeSettings {
    boolean bigMac = structure instanceof MoeStructure.BigMac;
    require(
        bigMac || !(projectionBias || latentNorm || gateReadsLatent),
        "projections, in a structure that has none",
        "Use BigMac, or no option of its projections");
    require(
        !expertBias || structure.body() == ExpertBody.PLAIN,
        "gated experts with biases",
        "Use plain experts, or no biases");
    require(sharedInner >= 0, "a shared inner width of " + sharedInner, "Use 0 or more");
    require(chunks >= 1, chunks + " chunks", "Use 1 or more");
    require(
        wire.isEmpty() || wire.get().isFloating(),
        "rows of type " + wire.map(DType::name).orElse("") + " on the wire",
        "Use a floating type");
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No mixture-of-experts layer has " + found, remedy);
    }
  }

  /** A structure with everything else as usual: GELU, no biases, dropless. */
  public static MoeSettings of(MoeStructure structure) {
    return new MoeSettings(
        structure,
        structure.topK() == 1
            ? RouterSettings.DEFAULT.withScores(RouterSettings.Scores.SOFTMAX, false, 1)
            : RouterSettings.DEFAULT,
        ExpertActivation.GELU,
        false,
        false,
        false,
        false,
        0,
        Optional.empty(),
        1,
        Initialisation.fanIn(1));
  }

  public MoeSettings withRouter(RouterSettings value) {
    return new MoeSettings(
        structure,
        value,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        sharedInner,
        wire,
        chunks,
        initialisation);
  }

  public MoeSettings withActivation(ExpertActivation value) {
    return new MoeSettings(
        structure,
        router,
        value,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        sharedInner,
        wire,
        chunks,
        initialisation);
  }

  public MoeSettings withBiases(boolean ofExperts, boolean ofProjections) {
    return new MoeSettings(
        structure,
        router,
        activation,
        ofExperts,
        ofProjections,
        latentNorm,
        gateReadsLatent,
        sharedInner,
        wire,
        chunks,
        initialisation);
  }

  public MoeSettings withLatentNorm(boolean value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        value,
        gateReadsLatent,
        sharedInner,
        wire,
        chunks,
        initialisation);
  }

  public MoeSettings withGateReadingLatent(boolean value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        value,
        sharedInner,
        wire,
        chunks,
        initialisation);
  }

  public MoeSettings withShared(int inner) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        inner,
        wire,
        chunks,
        initialisation);
  }

  public MoeSettings withWire(DType value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        sharedInner,
        Optional.of(value),
        chunks,
        initialisation);
  }

  public MoeSettings withChunks(int value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        sharedInner,
        wire,
        value,
        initialisation);
  }

  public MoeSettings withInitialisation(Initialisation value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        sharedInner,
        wire,
        chunks,
        value);
  }
}
