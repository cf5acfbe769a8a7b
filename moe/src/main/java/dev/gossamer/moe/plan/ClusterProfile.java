package dev.gossamer.moe.plan;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What the planner knows of a cluster. All ranks are alike, and so are all nodes.
 *
 * @param name how it is called
 * @param source where the figures come from: measured, data sheet, fitted
 * @param ranks ranks that a plan assumes when none are given
 * @param ranksPerNode ranks that share a node and its link, {@code m}
 * @param compute what a rank computes
 * @param memoryBytes memory of a rank, bytes
 * @param nodeLink what all ranks of a node together send to other nodes; empty if there is one node
 * @param localLink what one rank sends to others of its node
 * @param handling what a rank does beside products
 * @param overhead time that no formula explains
 * @param wire type of the elements on the wire unless the plan says otherwise
 */
public record ClusterProfile(
    String name,
    String source,
    int ranks,
    int ranksPerNode,
    Compute compute,
    long memoryBytes,
    Optional<Link> nodeLink,
    Link localLink,
    Handling handling,
    Overhead overhead,
    DType wire) {
  /** Profiles that ship inside, resources {@code clusters/NAME.json}. */
  public static final List<String> PRESETS =
      List.of("paper-cluster", "a100-infiniband", "h100-infiniband", "pcie-host", "cpu-host");

  /**
   * @param peakFlops floating-point operations per second by the data sheet
   * @param denseEfficiency share of it that attention, projections and head reach
   * @param expertEfficiency share of it that experts with many rows reach
   * @param halfRows rows of an expert at which it reaches half of that share; 0 if rows do not
   *     matter
   * @param memoryBytesPerSecond memory bandwidth
   */
  public record Compute(
      double peakFlops,
      double denseEfficiency,
      double expertEfficiency,
      double halfRows,
      double memoryBytesPerSecond) {
    public Compute {
      require(peakFlops > 0, "a peak of " + peakFlops + " FLOP/s", "Use more than 0");
      require(share(denseEfficiency), "a dense efficiency of " + denseEfficiency, "Use 0 to 1");
      require(share(expertEfficiency), "an expert efficiency of " + expertEfficiency, "Use 0 to 1");
      require(halfRows >= 0, "half the efficiency at " + halfRows + " rows", "Use 0 or more");
      require(
          memoryBytesPerSecond > 0,
          "a memory bandwidth of " + memoryBytesPerSecond + " bytes per second",
          "Use more than 0");
    }

    private static boolean share(double value) {
      return value > 0 && value <= 1;
    }

    /** FLOP/s of dense products. */
    public double dense() {
      return peakFlops * denseEfficiency;
    }

    /** FLOP/s of experts that have so many rows each. */
    public double experts(double rows) {
      return peakFlops * expertEfficiency * (halfRows == 0 ? 1 : rows / (rows + halfRows));
    }
  }

  /**
   * @param layerSeconds what a layer takes beyond its operations, forward and backward, seconds
   * @param projectionSeconds what BigMac's projections take beyond theirs per layer, seconds
   * @param holdsUpdate whether {@code layerSeconds} covers the optimiser and the exchange of the
   *     gradients of what all ranks hold, as it was fitted to whole steps; replicas of experts,
   *     which those did not have, are charged all the same
   */
  public record Overhead(double layerSeconds, double projectionSeconds, boolean holdsUpdate) {
    public Overhead {
      require(layerSeconds >= 0, "an overhead of " + layerSeconds + " s", "Use 0 or more");
      require(
          projectionSeconds >= 0, "an overhead of " + projectionSeconds + " s", "Use 0 or more");
    }
  }

  public ClusterProfile {
    require(ranks >= 1, ranks + " ranks", "Use 1 or more");
    require(ranksPerNode >= 1, ranksPerNode + " ranks per node", "Use 1 or more");
    require(
        ranks <= ranksPerNode || ranks % ranksPerNode == 0,
        ranks + " ranks, with " + ranksPerNode + " per node",
        "Use a multiple of " + ranksPerNode);
    require(memoryBytes > 0, memoryBytes + " bytes of memory", "Use more than 0");
    require(wire.isFloating(), "the wire type " + wire, "Use fp32, bf16 or fp16");
  }

  /**
   * @throws UsageException if there is none of that name
   */
  public static ClusterProfile preset(String name) {
    if (!PRESETS.contains(name)) {
      throw new UsageException(
          "Unknown cluster '" + name + "'",
          "Use " + String.join(", ", PRESETS) + ", or a file ending in .json");
    }
    return of(SettingsFile.resource(ClusterProfile.class, "clusters/" + name + ".json"));
  }

  /**
   * @throws dev.gossamer.tensor.failure.BadInputException if the file is missing or malformed, has
   *     a key that is unknown, or lacks one
   */
  public static ClusterProfile read(Path file) {
    return of(SettingsFile.read(file));
  }

  private static ClusterProfile of(SettingsFile file) {
    return file.build(
        () ->
            new ClusterProfile(
                file.text("name", "unnamed"),
                file.text("source", "given by the user"),
                file.whole("ranks", file.whole("ranksPerNode")),
                file.whole("ranksPerNode"),
                new Compute(
                    1e12 * file.real("peakTflops"),
                    file.real("denseEfficiency"),
                    file.real("expertEfficiency", file.real("denseEfficiency")),
                    file.real("halfRows", 0),
                    1e9 * file.real("memoryGBps")),
                (long) (1e9 * file.real("memoryGB")),
                file.has("nodeLink") ? Optional.of(link(file.part("nodeLink"))) : Optional.empty(),
                link(file.part("localLink")),
                Handling.of(file.part("handling")),
                new Overhead(
                    1e-3 * file.real("layerMillis", 0),
                    1e-3 * file.real("projectionMillis", 0),
                    file.flag("layerMillisHoldUpdate", false)),
                DType.ofOption(file.text("wire", "bf16"))));
  }

  private static Link link(SettingsFile part) {
    return part.build(
        () ->
            new Link(
                1e-6 * part.real("latencyMicros"),
                1e9 * part.real("GBps"),
                1e3 * part.real("burstKB", 0)));
  }

  /** This cluster with its node link, or the local one where there is one node, so much faster. */
  public ClusterProfile withFasterLink(Placement placement, double factor) {
    return placement.nodes() > 1
        ? with(nodeLink.map(link -> link.faster(factor)), localLink)
        : with(nodeLink, localLink.faster(factor));
  }

  private ClusterProfile with(Optional<Link> newNodeLink, Link newLocalLink) {
    return new ClusterProfile(
        name,
        source,
        ranks,
        ranksPerNode,
        compute,
        memoryBytes,
        newNodeLink,
        newLocalLink,
        handling,
        overhead,
        wire);
  }

  /** As the JSON document of the file. */
  public Map<String, Object> document() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("name", name);
    document.put("source", source);
    document.put("ranks", ranks);
    document.put("ranksPerNode", ranksPerNode);
    document.put("peakTflops", compute.peakFlops() / 1e12);
    document.put("denseEfficiency", compute.denseEfficiency());
    document.put("expertEfficiency", compute.expertEfficiency());
    document.put("halfRows", compute.halfRows());
    document.put("memoryGB", memoryBytes / 1e9);
    document.put("memoryGBps", compute.memoryBytesPerSecond() / 1e9);
    nodeLink.ifPresent(link -> document.put("nodeLink", document(link)));
    document.put("localLink", document(localLink));
    if (!handling.equals(Handling.NONE)) {
      document.put("handling", handling.document());
    }
    document.put("layerMillis", 1e3 * overhead.layerSeconds());
    document.put("projectionMillis", 1e3 * overhead.projectionSeconds());
    document.put("layerMillisHoldUpdate", overhead.holdsUpdate());
    document.put("wire", wire.optionName());
    return document;
  }

  private static Map<String, Object> document(Link link) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("latencyMicros", 1e6 * link.latencySeconds());
    document.put("GBps", link.bytesPerSecond() / 1e9);
    if (link.burstBytes() > 0) {
      document.put("burstKB", link.burstBytes() / 1e3);
    }
    return document;
  }

  private static void require(boolean holds, String found, String remedy) {
    if (!holds) {
      throw new UsageException("No cluster has " + found, remedy);
    }
  }
}
