package dev.gossamer.bench;

import dev.gossamer.tensor.Machine;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The machine of a benchmark, with how busy others kept it: a figure taken on a busy machine is no
 * figure.
 *
 * @param loadBefore load average of the last minute when the benchmark began; negative if unknown
 */
public record MachineFacts(double loadBefore) {
  /** Begins to watch. */
  public static MachineFacts now() {
    return new MachineFacts(load());
  }

  private static double load() {
    return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
  }

  /**
   * The {@code machine} of a {@link BenchReport}; call it at the end.
   *
   * @return system, processor and libtorch, and the load average of the last minute before and
   *     after
   */
  public Map<String, Object> document() {
    Machine machine = Machine.here();
    Machine.Backend backend = Machine.backend();
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("system", machine.system());
    document.put("java", machine.java());
    document.put("processor", machine.processor());
    document.put("cores", machine.cores());
    document.put("instructions", machine.instructions());
    document.put("memoryBytes", machine.memoryBytes());
    document.put("libtorch", backend.version());
    document.put("simd", backend.simd());
    document.put("blasThreads", backend.blasThreads());
    document.put("loadAverage", List.of(loadBefore, load()));
    return document;
  }

  /**
   * One line about the load, with a warning if others were at work when the benchmark began.
   *
   * @param document what {@link #document} gave
   */
  public static String loadLine(Map<String, Object> document) {
    List<?> loads = (List<?>) document.get("loadAverage");
    int cores = (Integer) document.get("cores");
    double before = (Double) loads.get(0);
    return "Load average "
        + TextTable.figure(before, 2)
        + " before, "
        + TextTable.figure((Double) loads.get(1), 2)
        + " after, on "
        + cores
        + (cores == 1 ? " core" : " cores")
        + (before > 0.25 * cores ? ": the machine was busy, these times mean little" : "");
  }
}
