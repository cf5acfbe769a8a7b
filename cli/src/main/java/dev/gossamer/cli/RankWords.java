package dev.gossamer.cli;

import dev.gossamer.distributed.launch.RankCommand;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;

/** The words that start a rank, from those that a user gave. */
final class RankWords {
  private RankWords() {}

  /**
   * @param gossamer the command whose subcommands run in this Java; anything else is a program
   * @param processes ranks that share this machine's cores
   */
  static List<String> of(CommandSpec gossamer, List<String> command, int processes) {
    boolean ours = !command.isEmpty() && gossamer.subcommands().containsKey(command.get(0));
    return ours
        ? RankCommand.java(Gossamer.class.getName(), command, processes)
        : RankCommand.program(command);
  }
}
