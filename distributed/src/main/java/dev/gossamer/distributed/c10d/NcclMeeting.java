package dev.gossamer.distributed.c10d;

import dev.gossamer.distributed.CommunicationException;
import java.util.HexFormat;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.bytedeco.cuda.nccl.ncclUniqueId;

/**
 * Where the ranks of a group find NCCL's number for it.
 *
 * @param group its name in the register
 * @param abandoned whether a rank has given the group up
 */
record NcclMeeting(Register register, String group, BooleanSupplier abandoned) {
  private static final int BYTES = 128; // NCCL_UNIQUE_ID_BYTES, the same since its first version

  private String key() {
    return group + "/nccl";
  }

  /** Tells the others; of the group's first rank. */
  void announce(ncclUniqueId number) {
    byte[] bytes = new byte[BYTES];
    number.internal().get(bytes);
    register.post(key(), HexFormat.of().formatHex(bytes));
  }

  /**
   * @throws CommunicationException if the first rank does not tell in time
   */
  ncclUniqueId learn(Deadline deadline) {
    Optional<String> word = register.read(key(), deadline);
    ncclUniqueId number = new ncclUniqueId();
    number
        .internal()
        .put(
            HexFormat.of()
                .parseHex(
                    word.orElseThrow(
                        () ->
                            new CommunicationException(
                                "The first rank of " + group + " began no exchange by NCCL",
                                "See why it did not"))));
    return number;
  }
}
