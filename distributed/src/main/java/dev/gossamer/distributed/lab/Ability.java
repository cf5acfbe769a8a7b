package dev.gossamer.distributed.lab;

/**
 * Something that a lab uses.
 *
 * @param subject what, in one or two words
 * @param state how it stands
 * @param found what is there, or what is wrong
 * @param remedy what to do about it; empty if nothing
 */
public record Ability(String subject, State state, String found, String remedy) {
  /** How it stands. */
  public enum State {
    PRESENT,
    /** A lab does without. */
    SPARED,
    /** There is no lab without it. */
    MISSING
  }
}
