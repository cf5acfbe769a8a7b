package dev.gossamer.bench.lm;

/** What an interval says to whether a quantity is below zero. */
public enum Answer {
  YES,
  NO,
  /** The interval holds zero, or there is none. */
  UNDECIDED;

  /** Whether values are below zero, by the 95 % interval of their mean. */
  static Answer below(Spread values) {
    return values.high() < 0 ? YES : values.low() > 0 ? NO : UNDECIDED;
  }
}
