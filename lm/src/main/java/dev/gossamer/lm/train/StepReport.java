package dev.gossamer.lm.train;

import dev.gossamer.tensor.ResidentMemory;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One step of training, over all ranks.
 *
 * @param step how many the run has made, this one included
 * @param tokens learnt from since the beginning of the run
 * @param loss mean cross-entropy of a token, in nats
 * @param bitsPerByte of the training text, by its mean bytes of a token
 * @param auxiliary loss of the balance of experts, mean over micro-batches
 * @param zLoss likewise
 * @param learningRate of this step
 * @param gradientNorm before clipping
 * @param skipped why nothing was moved; empty if weights were
 * @param seconds of the step
 * @param tokensPerSecond of all ranks
 * @param exchangeShare of the step's time on rank 0 that it spent waiting for other ranks
 * @param balance how evenly experts were used
 * @param dropped share of the slots that capacity dropped
 * @param memory of this rank's process after the step
 */
public record StepReport(
    long step,
    long tokens,
    double loss,
    double bitsPerByte,
    double auxiliary,
    double zLoss,
    double learningRate,
    double gradientNorm,
    String skipped,
    double seconds,
    double tokensPerSecond,
    double exchangeShare,
    LoadBalance balance,
    double dropped,
    ResidentMemory memory) {
  /** As one line of JSON has it. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("step", step);
    document.put("tokens", tokens);
    document.put("loss", loss);
    document.put("trainBitsPerByte", bitsPerByte);
    document.put("auxiliary", auxiliary);
    document.put("zLoss", zLoss);
    document.put("learningRate", learningRate);
    document.put("gradientNorm", gradientNorm);
    if (!skipped.isEmpty()) {
      document.put("skipped", skipped);
    }
    document.put("seconds", seconds);
    document.put("tokensPerSecond", tokensPerSecond);
    document.put("exchangeShare", exchangeShare);
    document.put("maxViolationMean", balance.mean());
    document.put("maxViolationMax", balance.worst());
    document.put("deadExperts", balance.dead());
    document.put("entropy", balance.entropy());
    document.put("dropped", dropped);
    document.put("residentBytes", memory.bytes());
    document.put("peakResidentBytes", memory.peakBytes());
    return document;
  }
}
