package dev.gossamer.moe.parallel;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Pending;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.tensor.Tensor;

/** How rows get from every rank of a group to every other. */
interface RowCarrier {
  /** Who exchanges. */
  Communicator ranks();

  /**
   * @param received {@code [rows, width]}, contiguous, written: rows of rank 0, then of rank 1, ..
   * @param sent {@code [rows, width]}, contiguous: rows for rank 0, then for rank 1, ..
   * @param rows {@code [from][to]} of all ranks
   */
  Pending carry(Tensor received, Tensor sent, long[][] rows);

  /** By one all-to-all. */
  static RowCarrier inOneStep(Communicator ranks) {
    record OneStep(Communicator ranks) implements RowCarrier {
      @Override
      public Pending carry(Tensor received, Tensor sent, long[][] rows) {
        long[] arriving = new long[rows.length];
        for (int from = 0; from < rows.length; from++) {
          arriving[from] = rows[from][ranks.rank()];
        }
        return ranks.allToAll(received, arriving, sent, rows[ranks.rank()]);
      }
    }
    return new OneStep(ranks);
  }

  /** Inside nodes first, then between them. */
  static RowCarrier inTwoSteps(RankGrid grid) {
    record TwoSteps(RankGrid grid) implements RowCarrier {
      @Override
      public Communicator ranks() {
        return grid.world();
      }

      @Override
      public Pending carry(Tensor received, Tensor sent, long[][] rows) {
        return grid.allToAllInTwoSteps(received, sent, rows);
      }
    }
    return new TwoSteps(grid);
  }
}
