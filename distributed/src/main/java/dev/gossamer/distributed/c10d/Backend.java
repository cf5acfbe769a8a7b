package dev.gossamer.distributed.c10d;

import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.UsageException;
import java.util.Locale;

/** What carries the exchanges between processes. */
public enum Backend {
  /** TCP, for tensors on the processor; Linux. */
  GLOO {
    @Override
    public void demand() {
      GlooGroup.require();
    }

    @Override
    public Device device(Rendezvous rendezvous) {
      return Device.CPU;
    }
  },

  /** NCCL between NVIDIA cards; tensors on the processor go by way of the card. */
  NCCL {
    @Override
    public void demand() {
      NcclGroup.require(CudaSetup.here());
    }

    @Override
    public Device device(Rendezvous rendezvous) {
      return new Device(
          Device.Kind.CUDA, rendezvous.ranks().localRank() % Math.max(1, NcclGroup.cards()));
    }
  };

  /**
   * The backend that a person names on the command line.
   *
   * @param name {@code gloo} or {@code nccl}
   * @throws UsageException for any other name
   */
  public static Backend ofOption(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "gloo" -> GLOO;
      case "nccl" -> NCCL;
      default -> throw new UsageException("Unknown backend '" + name + "'", "Use gloo or nccl");
    };
  }

  /**
   * @throws EnvironmentException if this machine lacks it, with the remedy
   */
  public abstract void demand();

  /**
   * Where a rank's tensors live so that this carries them: the card of its place on its machine, in
   * turn if there are fewer cards than ranks.
   */
  public abstract Device device(Rendezvous rendezvous);
}
