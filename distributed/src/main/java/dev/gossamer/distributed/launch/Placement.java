package dev.gossamer.distributed.launch;

import java.util.List;

/** Which ranks a launcher starts, and where: on this machine's own network, or in a lab's. */
public interface Placement {
  /**
   * The same when it is time to start: what was left open is chosen.
   *
   * @throws dev.gossamer.tensor.failure.EnvironmentException if what it names is taken
   */
  default Placement settled() {
    return this;
  }

  /** Ranks in all, those of other launchers too. */
  int size();

  /** The ranks to start here, lowest first. */
  List<RankPlace> places();
}
