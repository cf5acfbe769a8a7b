package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.launch.LaunchPlan;
import dev.gossamer.distributed.launch.Launcher;
import dev.gossamer.distributed.launch.RankCommand;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * What TCP carries from one node of a lab to another, in bit/s of payload: about 4 % of a link's
 * rate are headers.
 *
 * @param link the shape that was asked for
 * @param there from node 0 to node 1, alone
 * @param back from node 1 to node 0, alone
 * @param thereTogether from node 0 to node 1 while the other sends as well
 * @param backTogether from node 1 to node 0 while the other sends as well
 */
public record LinkMeasurement(
    LinkShape link, double there, double back, double thereTogether, double backTogether) {
  private static final int BOTH = 2;

  /**
   * Builds a lab of two nodes, measures, takes it away.
   *
   * @param duration of each of three phases, beyond half a second to warm up
   * @param err takes what the two processes complain about
   */
  public static LinkMeasurement take(
      LinkShape link, Duration duration, OutputStream err, BooleanSupplier interrupted) {
    LabPlan plan = new LabPlan(BOTH, 1, link, Layout.NODES);
    Path folder = null;
    try (Lab lab = Lab.build(plan, interrupted)) {
      folder = Files.createTempDirectory("gossamer-link");
      List<String> words = List.of("" + duration.toMillis() / 1e3, folder.toString());
      List<String> command = RankCommand.java(LinkProbe.class.getName(), words, BOTH);
      new Launcher(LaunchPlan.of(command, lab), err, err, interrupted).run();
      List<Double> first = rates(folder, 0);
      List<Double> second = rates(folder, 1);
      return new LinkMeasurement(link, second.get(0), first.get(1), second.get(2), first.get(2));
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot keep the measurement: " + e.getMessage(), "Make /tmp writable", e);
    } finally {
      delete(folder);
    }
  }

  private static List<Double> rates(Path folder, int rank) throws IOException {
    return Files.readAllLines(folder.resolve("rank-" + rank)).stream()
        .map(Double::valueOf)
        .toList();
  }

  private static void delete(Path folder) {
    if (folder != null) {
      for (int rank = 0; rank < BOTH; rank++) {
        folder.resolve("rank-" + rank).toFile().delete();
      }
      folder.toFile().delete();
    }
  }

  /** All four, one line each. */
  public String table() {
    return "Link "
        + link
        + "; payload of TCP"
        + line("0 to 1", there)
        + line("1 to 0", back)
        + line("0 to 1, both at once", thereTogether)
        + line("1 to 0, both at once", backTogether);
  }

  private String line(String direction, double rate) {
    String share =
        link.isShaped()
            ? String.format(Locale.ROOT, "%6.1f %% of the rate", 100 * rate / link.bitsPerSecond())
            : "";
    return String.format(Locale.ROOT, "%n%-22s%10.1f Mbit/s%s", direction, rate / 1e6, share);
  }

  /** All of it for {@code --json}. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("link", LabReport.link(link));
    document.put("unit", "bit/s of TCP payload");
    document.put("there", there);
    document.put("back", back);
    document.put("thereTogether", thereTogether);
    document.put("backTogether", backTogether);
    return document;
  }
}
