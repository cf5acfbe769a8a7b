package dev.gossamer.distributed.launch;

import dev.gossamer.distributed.RankEnvironment;
import java.util.List;

/** A small Java program for ranks: prints who it is and what it was given. */
final class RankProgram {
  private RankProgram() {}

  public static void main(String[] words) {
    System.out.println(RankEnvironment.of(System.getenv()) + " " + List.of(words));
  }
}
