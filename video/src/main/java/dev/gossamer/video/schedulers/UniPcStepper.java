package dev.gossamer.video.schedulers;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One video under {@link UniPc}. A step estimates the noise-free video x0 from the model's output,
 * corrects the step that led here with it, and predicts the next; it remembers the last x0's and
 * the sample that it started from.
 */
final class UniPcStepper implements Stepper {
  private static final String LAST = "unipc.last_sample";

  private final UniPc settings;
  private final int steps;
  private final double[] sigmas;
  private final UniPcFormula formula;
  private final Scope memory = Scope.detached();
  private final List<Tensor> estimates = new ArrayList<>(); // x0's, newest first
  private Tensor lastSample; // null before the first step
  private int next;

  UniPcStepper(UniPc settings, double[] sigmas) {
    this.settings = settings;
    this.steps = sigmas.length - 1;
    this.sigmas = sigmas;
    this.formula = new UniPcFormula(sigmas, settings.solver());
  }

  @Override
  public Tensor step(int index, Tensor modelOutput, Tensor sample) {
    if (index != next || next == steps) {
      throw new IllegalStateException(
          "Step " + index + " was asked for, but " + next + " of " + steps + " are done");
    }
    try (Scope scope = Scope.open()) {
      Tensor x = sample.to(DType.FLOAT32);
      Tensor clean = x.sub(modelOutput.to(DType.FLOAT32).mul(sigmas[index]));
      if (index > 0 && !settings.disableCorrector().contains(index - 1)) {
        UniPcFormula.Weights weights = formula.correct(index - 1, order(index - 1));
        x = combine(weights, lastSample, x.device()).addInPlace(clean.mul(weights.atEnd()));
      }
      remember(clean, x.copy());
      next++;
      return scope.keep(combine(formula.predict(index, order(index)), x, x.device()));
    }
  }

  /** Multistep methods begin at first order, and may end there. */
  private int order(int index) {
    int wanted = Math.min(settings.solverOrder(), index + 1);
    return settings.lowerOrderFinal() ? Math.min(wanted, steps - index) : wanted;
  }

  /** On the device where the video is; what was restored from a file is not there yet. */
  private Tensor combine(UniPcFormula.Weights weights, Tensor sample, Device device) {
    Tensor sum = estimates.get(0).to(device).mul(weights.estimates()[0]);
    for (int j = 1; j < weights.estimates().length; j++) {
      sum.addInPlace(estimates.get(j).to(device).mul(weights.estimates()[j]));
    }
    return weights.sample() == 0 ? sum : sum.addInPlace(sample.to(device).mul(weights.sample()));
  }

  private void remember(Tensor clean, Tensor sample) {
    estimates.add(0, memory.adopt(clean));
    if (estimates.size() > settings.solverOrder()) {
      estimates.remove(settings.solverOrder()).close();
    }
    if (lastSample != null) {
      lastSample.close();
    }
    lastSample = memory.adopt(sample);
  }

  @Override
  public Map<String, Tensor> save() {
    Map<String, Tensor> saved = new LinkedHashMap<>();
    for (int j = 0; j < estimates.size(); j++) {
      saved.put(estimateName(j), estimates.get(j));
    }
    if (lastSample != null) {
      saved.put(LAST, lastSample);
    }
    return saved;
  }

  private static String estimateName(int age) {
    return "unipc.x0." + age;
  }

  @Override
  public void restore(int step, Map<String, Tensor> history) {
    if (step < 0 || step > steps) {
      throw new BadInputException(
          "Cannot continue at step " + step, "This schedule has " + steps + " steps");
    }
    int remembered = Math.min(step, settings.solverOrder());
    List<Tensor> saved = new ArrayList<>();
    for (int j = 0; j < remembered; j++) {
      saved.add(found(estimateName(j), step, history));
    }
    if (step > 0) {
      saved.add(found(LAST, step, history));
    }
    forget();
    try (Scope scope = Scope.open()) {
      saved.replaceAll(tensor -> memory.adopt(tensor.copy()));
    }
    estimates.addAll(saved.subList(0, remembered));
    lastSample = step > 0 ? saved.get(remembered) : null;
    next = step;
  }

  private static Tensor found(String name, int step, Map<String, Tensor> history) {
    Tensor saved = history.get(name);
    if (saved == null
        || saved.dtype() != DType.FLOAT32
        || !Arrays.equals(saved.shape(), history.get(estimateName(0)).shape())) {
      throw new BadInputException(
          "Cannot continue at step "
              + step
              + ": the saved '"
              + name
              + (saved == null ? "' is missing" : "' does not fit: " + saved),
          "Start this video again from its first step");
    }
    return saved;
  }

  private void forget() {
    estimates.forEach(Tensor::close);
    estimates.clear();
    if (lastSample != null) {
      lastSample.close();
      lastSample = null;
    }
  }

  @Override
  public void close() {
    forget();
    memory.close();
  }
}
