package dev.gossamer.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One thing that {@code doctor} looked at.
 *
 * @param subject what, in one or two words
 * @param verdict how it stands
 * @param found what is there
 * @param remedy what to do about it; empty if nothing
 */
record Finding(String subject, Verdict verdict, String found, String remedy) {
  /** How a thing stands. */
  enum Verdict {
    /** As it should be. */
    GOOD,
    /** Works, but could be better or is absent where it may be. */
    NOTE,
    /** Videos cannot be made like this. */
    BAD
  }

  static Finding good(String subject, String found) {
    return new Finding(subject, Verdict.GOOD, found, "");
  }

  static Finding note(String subject, String found, String remedy) {
    return new Finding(subject, Verdict.NOTE, found, remedy);
  }

  static Finding bad(String subject, String found, String remedy) {
    return new Finding(subject, Verdict.BAD, found, remedy);
  }

  /** 0, or 4 if something is bad. */
  static int exitCode(List<Finding> findings) {
    return findings.stream().anyMatch(finding -> finding.verdict == Verdict.BAD)
        ? FailureLine.ENVIRONMENT
        : 0;
  }

  /** All findings as one JSON document. */
  static Map<String, Object> document(List<Finding> findings) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("usable", exitCode(findings) == 0);
    document.put("findings", findings);
    return document;
  }

  @Override
  public String toString() {
    String mark =
        switch (verdict) {
          case GOOD -> "ok";
          case NOTE -> "note";
          case BAD -> "BAD";
        };
    return String.format(
        "%-5s%-14s%s%s", mark, subject, found, remedy.isEmpty() ? "" : ". " + remedy);
  }
}
