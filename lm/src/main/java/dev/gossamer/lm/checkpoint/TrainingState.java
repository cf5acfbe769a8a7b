package dev.gossamer.lm.checkpoint;

import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.Tensor;
import java.util.List;

/**
 * What of a rank is saved and loaded: weights and what the optimiser knows of them.
 *
 * @param weights in the type in which they are moved
 * @param means of their gradients, in the same order
 * @param squares likewise of their squares
 * @param firstExpert number of this rank's first expert
 * @param experts of this rank
 */
public record TrainingState(
    List<Parameter> weights,
    List<Tensor> means,
    List<Tensor> squares,
    int firstExpert,
    int experts) {}
