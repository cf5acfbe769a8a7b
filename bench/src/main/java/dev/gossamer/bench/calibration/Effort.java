package dev.gossamer.bench.calibration;

import java.util.List;

/**
 * How much a calibration measures.
 *
 * @param rows of an expert at which its rate is measured
 * @param experts of a rank in the layers that have most of them, a multiple of 8
 * @param largestBytes that a rank sends in the largest all-to-all
 */
record Effort(List<Integer> rows, int experts, long largestBytes) {
  /** Experts with 8 to 512 rows, up to 16 MiB on the wire. */
  static final Effort FULL = new Effort(List.of(8, 32, 128, 512), 32, 16L << 20);
}
