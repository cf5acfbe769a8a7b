package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Every rank's first entry in the register: that it is there, and how many it expects. */
record Arrivals(Register register, String world, Rendezvous rendezvous) {
  /**
   * Enters this rank and waits for all others.
   *
   * @throws CommunicationException if one does not come in time, expects another number of ranks,
   *     or claims this rank's number
   */
  void await(Deadline deadline) {
    int rank = rendezvous.rank();
    if (register.count(key(rank) + "/claims") > 1) {
      throw new CommunicationException(
          "Two processes that meet at " + rendezvous + " both are rank " + rank,
          "Give each its own rank, and each run its own port");
    }
    register.post(key(rank), String.valueOf(rendezvous.size()));
    List<String> missing = new ArrayList<>();
    for (int peer = 0; peer < rendezvous.size(); peer++) {
      Optional<String> size = register.read(key(peer), deadline);
      if (size.isEmpty()) {
        missing.add(String.valueOf(peer));
      } else if (!size.get().equals(String.valueOf(rendezvous.size()))) {
        throw new CommunicationException(
            "Rank "
                + rank
                + " was told of "
                + rendezvous.size()
                + " ranks, rank "
                + peer
                + " of "
                + size.get(),
            "Start all ranks with the same number of ranks");
      }
    }
    if (!missing.isEmpty()) {
      throw new CommunicationException(
          "Rank "
              + rank
              + " waited "
              + deadline
              + " at "
              + rendezvous
              + (missing.size() == 1 ? " for rank " : " for ranks ")
              + String.join(", ", missing),
          "See whether they run, and whether they were told the same machine and port");
    }
  }

  private String key(int rank) {
    return world + "/arrived/" + rank;
  }
}
