package dev.gossamer.moe;

import dev.gossamer.moe.parallel.ParallelSettings;
import dev.gossamer.moe.router.RouterSettings;
import dev.gossamer.tensor.failure.UsageException;

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
 * @param shared an expert that every token visits at the wide stream, without travelling
 * @param parallel how ranks share the work
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
    SharedSettings shared,
    ParallelSettings parallel,
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
    require(
        parallel.elastic() == 0
            || router.balance() == 0
            || router.scope() != RouterSettings.Scope.GLOBAL,
        "the same bits on every number of ranks but a balance loss over all of them",
        "Use the scope sequence or micro, or the router's bias");
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
        SharedSettings.NONE,
        ParallelSettings.DEFAULT,
        Initialisation.fanIn(1));
  }

  /** The same layer in another structure; what only BigMac's projections have is off elsewhere. */
  public MoeSettings withStructure(MoeStructure value) {
    boolean bigMac = value instanceof MoeStructure.BigMac;
    return new MoeSettings(
        value,
        router,
        activation,
        expertBias,
        bigMac && projectionBias,
        bigMac && latentNorm,
        bigMac && gateReadsLatent,
        shared,
        parallel,
        initialisation);
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
        shared,
        parallel,
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
        shared,
        parallel,
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
        shared,
        parallel,
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
        shared,
        parallel,
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
        shared,
        parallel,
        initialisation);
  }

  /** With a shared expert of some inner width, 0 for none. */
  public MoeSettings withShared(int inner) {
    return withShared(new SharedSettings(inner, false));
  }

  public MoeSettings withShared(SharedSettings value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        value,
        parallel,
        initialisation);
  }

  public MoeSettings withParallel(ParallelSettings value) {
    return new MoeSettings(
        structure,
        router,
        activation,
        expertBias,
        projectionBias,
        latentNorm,
        gateReadsLatent,
        shared,
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
        shared,
        parallel,
        value);
  }
}
