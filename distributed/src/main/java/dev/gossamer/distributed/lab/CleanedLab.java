package dev.gossamer.distributed.lab;

import java.util.ArrayList;
import java.util.List;

/**
 * A lab that {@code lab clean} came upon.
 *
 * @param name its name
 * @param owner the process that built it
 * @param removed whether it was taken away; if not, its owner is alive and does that itself
 */
public record CleanedLab(String name, long owner, boolean removed) {
  /** Takes away all labs that crashes left behind, with the processes in them. */
  public static List<CleanedLab> all() {
    Requirements.demand();
    List<CleanedLab> labs = new ArrayList<>();
    for (LabRecord entry : LabRegister.SYSTEM.all()) {
      boolean dead = !entry.owner().isAlive();
      if (dead) {
        Guard.over(entry).close();
      }
      labs.add(new CleanedLab(entry.names().lab(), entry.owner().pid(), dead));
    }
    return labs;
  }
}
