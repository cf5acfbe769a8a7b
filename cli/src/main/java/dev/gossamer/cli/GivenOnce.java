package dev.gossamer.cli;

import picocli.CommandLine.IExecutionStrategy;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;

/**
 * Runs a command unless an option was given twice. Picocli itself says so for options outside of
 * groups; one of a group would begin the group anew and silently drop all that was read of it.
 */
final class GivenOnce implements IExecutionStrategy {
  private final IExecutionStrategy runs = new RunLast();

  @Override
  public int execute(ParseResult parsed) {
    for (ParseResult each :
        parsed.asCommandLineList().stream().map(line -> line.getParseResult()).toList()) {
      each.commandSpec().argGroups().forEach(group -> check(each, group));
    }
    return runs.execute(parsed);
  }

  private static void check(ParseResult parsed, ArgGroupSpec group) {
    for (OptionSpec option : group.options()) {
      long times =
          parsed.findMatches(group).stream()
              .flatMap(container -> container.matches().stream())
              .filter(match -> !match.matchedValues(option).isEmpty())
              .count();
      if (times > 1) {
        throw new ParameterException(
            parsed.commandSpec().commandLine(),
            "Option '" + option.longestName() + "' is given twice");
      }
    }
  }
}
