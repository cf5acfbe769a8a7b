package dev.gossamer.attention.vector;

import java.util.Locale;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether this Java may use {@link VectorKernels}. Decided once; if not, one line of the log says
 * why and which options change it, and everything computes through libtorch as on a card.
 *
 * <p>Java's own range check of every vector that is read costs two thirds of the speed, since the
 * compiler does not move it out of these loops. The kernels check their arguments once per call
 * instead, and are used only where the other checks are switched off.
 */
public final class VectorApi {
  /** What the command line of Java needs. */
  public static final String OPTIONS =
      "--add-modules jdk.incubator.vector -Djdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK=0";

  private static final Logger LOG = LoggerFactory.getLogger(VectorApi.class);
  private static final String CHECKS = "jdk.incubator.vector.VECTOR_ACCESS_OOB_CHECK";
  private static final int FEWEST_LANES = 8;

  private static final Optional<String> OBSTACLE = obstacle();

  private VectorApi() {}

  /** True if {@link VectorKernels} may be touched. */
  public static boolean available() {
    return OBSTACLE.isEmpty();
  }

  /** Why the kernels are off; empty if they are on. */
  public static Optional<String> whyNot() {
    return OBSTACLE;
  }

  private static Optional<String> obstacle() {
    Optional<String> found = missingOption().or(VectorApi::weakProcessor);
    found.ifPresent(
        why -> LOG.warn("Attention on the processor goes through libtorch alone: {}", why));
    return found;
  }

  private static Optional<String> missingOption() {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      return Optional.of("Java runs without its vector module. Faster with: java " + OPTIONS);
    }
    if (!"0".equals(System.getProperty(CHECKS))) {
      return Optional.of("Java checks every vector that is read. Faster with: java " + OPTIONS);
    }
    return Optional.empty();
  }

  /**
   * Without fused multiply-add in hardware, Java computes it in software, a thousand times slower.
   */
  private static Optional<String> weakProcessor() {
    int lanes = VectorKernels.LANES;
    boolean arm = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT).equals("aarch64");
    return lanes >= FEWEST_LANES || arm && lanes >= 4
        ? Optional.empty()
        : Optional.of("Java uses vectors of only " + lanes + " floats on this processor");
  }
}
