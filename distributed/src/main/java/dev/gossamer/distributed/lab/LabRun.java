package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.launch.LaunchPlan;
import dev.gossamer.distributed.launch.Launcher;
import dev.gossamer.tensor.failure.GossamerException;
import java.io.OutputStream;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * One command across a lab that stands for as long as the command runs.
 *
 * @param plan the lab
 * @param ranks what each rank runs; where is up to the lab
 */
public record LabRun(LabPlan plan, LaunchPlan ranks) {
  /**
   * Builds the lab, runs all ranks to their end, takes the lab away.
   *
   * @param out takes what ranks write to stdout, each line marked
   * @param err takes what they write to stderr
   * @param remarks takes what was built, before ranks start, and what went over its links, also
   *     after a rank failed
   * @param interrupted whether to end, as after Ctrl-C
   * @throws GossamerException as {@link Lab#build} and {@link Launcher#run} do
   */
  public LabReport run(
      OutputStream out, OutputStream err, Consumer<String> remarks, BooleanSupplier interrupted) {
    try (Lab lab = Lab.build(plan, interrupted)) {
      remarks.accept(LabReport.headline(lab));
      List<NodeTraffic> before = lab.traffic();
      long begin = System.nanoTime();
      try {
        new Launcher(ranks.on(lab), out, err, interrupted).run();
      } catch (GossamerException e) {
        remarks.accept(report(lab, before, begin).table());
        throw e;
      }
      LabReport report = report(lab, before, begin);
      remarks.accept(report.table());
      return report;
    }
  }

  private static LabReport report(Lab lab, List<NodeTraffic> before, long begin) {
    double seconds = (System.nanoTime() - begin) / 1e9;
    List<NodeTraffic> now = lab.traffic();
    List<NodeTraffic> traffic =
        IntStream.range(0, now.size())
            .mapToObj(host -> now.get(host).since(before.get(host)))
            .toList();
    return new LabReport(lab.name(), lab.plan(), lab.congestionControl(), traffic, seconds);
  }
}
