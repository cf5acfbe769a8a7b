package dev.gossamer.attention;

import dev.gossamer.tensor.Threads;
import java.util.Map;

/** What a user picks: dense, AdaCluster, or a rival. Immutable; one method serves many videos. */
public interface AttentionMethod {
  /** The name on the command line, for example {@code adacluster}. */
  String name();

  /** Every setting with its value, for the report. */
  Map<String, Object> settings();

  /**
   * Begins a video. Nothing of an earlier video survives in the session.
   *
   * @param threads processor threads that the session may use; it does not close them
   */
  AttentionSession open(AttentionPlan plan, Threads threads);
}
