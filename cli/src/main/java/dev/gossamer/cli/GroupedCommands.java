package dev.gossamer.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.IHelpSectionRenderer;

/** Lists the commands of {@code gossamer --help} under headings, in the order of the map. */
final class GroupedCommands implements IHelpSectionRenderer {
  private final Map<String, List<String>> groups;

  GroupedCommands(Map<String, List<String>> groups) {
    this.groups = new LinkedHashMap<>(groups);
  }

  @Override
  public String render(Help help) {
    Map<String, CommandLine> commands = help.commandSpec().subcommands();
    int widest = commands.keySet().stream().mapToInt(String::length).max().orElse(0);
    StringBuilder text = new StringBuilder();
    groups.forEach(
        (heading, names) -> {
          text.append(String.format("%n%s%n", heading));
          for (String name : names) {
            if (commands.containsKey(name)) {
              String[] description =
                  commands.get(name).getCommandSpec().usageMessage().description();
              text.append(
                  String.format("  %-" + widest + "s  %s%n", name, String.join(" ", description)));
            }
          }
        });
    return text.toString();
  }
}
