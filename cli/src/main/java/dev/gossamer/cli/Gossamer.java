package dev.gossamer.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command {@code gossamer}: parses, runs one subcommand, returns its exit code. */
@Command(
    name = "gossamer",
    description = "Text to video with clustered sparse attention, on the JVM.",
    mixinStandardHelpOptions = true,
    versionProvider = Gossamer.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Exit codes: 0 done, 1 failed while running, 2 wrong usage, 3 bad input file,",
      "4 the machine lacks something, 130 interrupted."
    })
public final class Gossamer implements Runnable {
  private static final String SETTING = "--attn.";

  @Spec private CommandSpec spec;

  /** The version that the jar carries. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Gossamer.class.getPackage().getImplementationVersion();
      return new String[] {"gossamer " + (version == null ? "(not packaged)" : version)};
    }
  }

  public static void main(String[] args) {
    System.exit(run(Terminal.ofThisProcess(), args));
  }

  /** Runs one command line to its end and returns the exit code. */
  static int run(Terminal terminal, String... args) {
    FailureLine failures = new FailureLine(terminal);
    try {
      return commandLine(terminal, failures).execute(separated(args));
    } catch (OutOfMemoryError e) {
      return failures.report(e, List.of(args).contains("--verbose"));
    }
  }

  private static CommandLine commandLine(Terminal terminal, FailureLine failures) {
    CommandLine commandLine = new CommandLine(new Gossamer());
    Map<String, List<String>> groups = new LinkedHashMap<>();
    groups.put("Video", List.of("generate", "decode", "replay", "models"));
    groups.put("Tools", List.of("bench", "doctor", "generate-completion"));
    commandLine
        .addSubcommand(new DoctorCommand(terminal))
        .addSubcommand(new GenerateCompletion())
        .setOut(new PrintWriter(terminal.out(), true))
        .setErr(new PrintWriter(terminal.err(), true))
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setUsageHelpAutoWidth(true)
        .setExecutionExceptionHandler(failures)
        .setParameterExceptionHandler(failures);
    commandLine
        .getHelpSectionMap()
        .put(CommandLine.Model.UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING, help -> "");
    commandLine
        .getHelpSectionMap()
        .put(
            CommandLine.Model.UsageMessageSpec.SECTION_KEY_COMMAND_LIST,
            new GroupedCommands(groups));
    return commandLine;
  }

  /** Lets {@code --attn.name=value} reach the option {@code --attn}, whose argument is a pair. */
  private static String[] separated(String[] args) {
    List<String> separated = new ArrayList<>();
    for (String arg : args) {
      if (arg.startsWith(SETTING)) {
        separated.add("--attn");
        separated.add(arg.substring(SETTING.length()));
      } else {
        separated.add(arg);
      }
    }
    return separated.toArray(String[]::new);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "No command given");
  }
}
