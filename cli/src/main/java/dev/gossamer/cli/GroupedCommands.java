package dev.gossamer.cli;

import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.IHelpSectionRenderer;

/**
 * Lists the commands of {@code gossamer --help} under headings.
 *
 * @param groups in the order of the page; a name that is no command here is left out
 */
record GroupedCommands(List<Group> groups) implements IHelpSectionRenderer {
  /**
   * Commands that belong together.
   *
   * @param heading what they are about
   * @param names the commands, in order
   */
  record Group(String heading, List<String> names) {
    Group(String heading, String... names) {
      this(heading, List.of(names));
    }
  }

  @Override
  public String render(Help help) {
    Map<String, CommandLine> commands = help.commandSpec().subcommands();
    int widest = commands.keySet().stream().mapToInt(String::length).max().orElse(0);
    StringBuilder text = new StringBuilder();
    for (Group group : groups) {
      text.append(String.format("%n%s%n", group.heading()));
      for (String name : group.names()) {
        if (commands.containsKey(name)) {
          text.append(
              String.format("  %-" + widest + "s  %s%n", name, summary(commands.get(name))));
        }
      }
    }
    return text.toString();
  }

  private static String summary(CommandLine command) {
    String[] lines = command.getCommandSpec().usageMessage().description();
    return lines.length == 0 ? "" : lines[0].split("\\.\\s|\\R", 2)[0].replaceAll("\\.$", "");
  }
}
