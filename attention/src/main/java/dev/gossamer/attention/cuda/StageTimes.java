package dev.gossamer.attention.cuda;

import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.cuda.Stopwatch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.DoubleSupplier;

/**
 * How long the stages of clustered attention take on a card, for whoever wants to know: calls made
 * by this thread while one of these is open are measured, and no others.
 */
public final class StageTimes implements AutoCloseable {
  private static final ThreadLocal<StageTimes> OPEN = new ThreadLocal<>();

  private final Map<String, DoubleSupplier> seconds = new LinkedHashMap<>();
  private final Device device;
  private Stopwatch watch;
  private String stage = "";

  private StageTimes(Device device) {
    this.device = device;
  }

  /** Begins; to be closed by the same thread. */
  public static StageTimes open(Device device) {
    StageTimes times = new StageTimes(device);
    OPEN.set(times);
    return times;
  }

  /** Says that a stage begins, and the one before ends. */
  public static void begin(String name) {
    StageTimes times = OPEN.get();
    if (times != null) {
      times.next(name);
    }
  }

  private void next(String name) {
    if (watch != null) {
      DoubleSupplier earlier = seconds.getOrDefault(stage, () -> 0);
      DoubleSupplier more = watch.stop();
      seconds.put(stage, () -> earlier.getAsDouble() + more.getAsDouble());
    }
    stage = name;
    watch = name.isEmpty() ? null : Stopwatch.start(device);
  }

  /** Ends the last stage; milliseconds of each in the order in which they began. */
  public Map<String, Double> millis() {
    next("");
    Map<String, Double> millis = new LinkedHashMap<>();
    seconds.forEach((name, time) -> millis.put(name, time.getAsDouble() * 1e3));
    return millis;
  }

  @Override
  public void close() {
    OPEN.remove();
  }
}
