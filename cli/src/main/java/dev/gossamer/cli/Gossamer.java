package dev.gossamer.cli;

import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.libtorch.NativeLoading;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import picocli.AutoComplete.GenerateCompletion;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IHelpSectionRenderer;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command {@code gossamer}: parses, runs one subcommand, returns its exit code. */
@Command(
    name = "gossamer",
    description = {
      "Text to video with clustered sparse attention, and mixtures of experts, on the JVM."
    },
    mixinStandardHelpOptions = true,
    versionProvider = Gossamer.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "gossamer COMMAND --help, or gossamer help COMMAND, shows the options of a command.",
      "Exit codes: 0 done, 1 failed while running, 2 wrong usage, 3 bad input file,",
      "4 the machine lacks something, 130 interrupted."
    })
public final class Gossamer implements Runnable {
  private static final String SETTING = "--attn.";
  private static final Set<String> TRAINING = Set.of("train", "compare-structures", "bench lm");
  private static final Pattern SECTION =
      Pattern.compile("--[A-Za-z]+\\.[A-Za-z.]+=.*", Pattern.DOTALL);
  private static final Set<String> LAUNCHING = Set.of("launch", "lab");
  private static final String COMPLETION = "generate-completion";
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final List<GroupedCommands.Group> GROUPS =
      List.of(
          new GroupedCommands.Group("Video", "generate", "decode", "replay", "models"),
          new GroupedCommands.Group(
              "Language models",
              "tokenize",
              "train",
              "evaluate",
              "complete",
              "serve",
              "compare-structures",
              "checkpoint"),
          new GroupedCommands.Group("Clusters", "launch", "lab", "plan"),
          new GroupedCommands.Group("Tools", "bench", "doctor", "bundle", COMPLETION));

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
    NativeLoading.ownProcess();
    Interruption interruption = Interruption.listen(PATIENCE);
    int exitCode = run(Terminal.ofThisProcess(), interruption::asked, args);
    interruption.commandEnded();
    System.exit(exitCode);
  }

  /**
   * Runs one command line to its end.
   *
   * @param interrupted whether the command should stop
   * @return the exit code
   */
  static int run(Terminal terminal, BooleanSupplier interrupted, String... line) {
    String[] args = helpAsOption(line);
    FailureLine failures = new FailureLine(terminal);
    try {
      int exitCode = commandLine(terminal, interrupted, failures, args).execute(separated(args));
      return exitCode == 0 ? terminal.delivered() : exitCode;
    } catch (OutOfMemoryError | EnvironmentException | ExceptionInInitializerError e) {
      // The last: libtorch was refused when the first tensor needed it.
      Throwable failure = e instanceof ExceptionInInitializerError ? e.getCause() : e;
      return failures.report(failure, List.of(args).contains(CommonArguments.VERBOSE));
    }
  }

  /** {@code help COMMAND} asks for {@code COMMAND --help}. */
  private static String[] helpAsOption(String... args) {
    if (args.length == 0 || !args[0].equals("help")) {
      return args;
    }
    List<String> asked = new ArrayList<>(List.of(args).subList(1, args.length));
    asked.add("--help");
    return asked.toArray(String[]::new);
  }

  private static CommandLine commandLine(
      Terminal terminal, BooleanSupplier interrupted, FailureLine failures, String... args) {
    CommandLine commandLine = new CommandLine(new Gossamer());
    for (String name : wanted(args)) {
      commandLine.addSubcommand(name, command(name, terminal, interrupted));
    }
    commandLine
        .setOut(new PrintWriter(terminal.out(), true))
        .setErr(new PrintWriter(terminal.err(), true))
        .setUsageHelpAutoWidth(true)
        .registerConverter(Path.class, new PathConverter())
        .setExpandAtFiles(false) // a prompt or an argument to launch may begin with @
        .setExecutionStrategy(new GivenOnce())
        .setExecutionExceptionHandler(failures)
        .setParameterExceptionHandler(failures);
    Map<String, IHelpSectionRenderer> sections = commandLine.getHelpSectionMap();
    sections.put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING, help -> "");
    sections.put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST, new GroupedCommands(GROUPS));
    return commandLine;
  }

  /**
   * The commands that this line needs: the one that it names, as it takes longer to look at the
   * options of all than to start Java. All of them if it names none, or one that asks for others.
   */
  private static List<String> wanted(String... args) {
    List<String> names = GROUPS.stream().flatMap(group -> group.names().stream()).toList();
    boolean one =
        args.length > 0
            && names.contains(args[0])
            && !LAUNCHING.contains(args[0])
            && !args[0].equals(COMPLETION);
    return one ? List.of(args[0]) : names;
  }

  private static CommandLine command(String name, Terminal terminal, BooleanSupplier interrupted) {
    return switch (name) {
      case "generate" -> new CommandLine(new GenerateCommand(terminal, interrupted));
      case "decode" -> new CommandLine(new DecodeCommand(terminal, interrupted));
      case "replay" -> new CommandLine(new ReplayCommand(terminal, interrupted));
      case "models" ->
          new CommandLine(new ModelsCommand())
              .addSubcommand(new InspectCommand(terminal))
              .addSubcommand(new RandomModelCommand(terminal, interrupted));
      case "tokenize" -> new CommandLine(new TokenizeCommand(terminal, interrupted));
      case "train" -> new CommandLine(new TrainCommand(terminal, interrupted));
      case "evaluate" -> new CommandLine(new EvaluateCommand(terminal));
      case "compare-structures" ->
          new CommandLine(new CompareStructuresCommand(terminal, interrupted));
      case "complete" -> new CommandLine(new CompleteCommand(terminal, interrupted));
      case "serve" -> new CommandLine(new ServeCommand(terminal, interrupted));
      case "checkpoint" ->
          new CommandLine(new CheckpointCommand())
              .addSubcommand(new VerifyCommand(terminal))
              .addSubcommand(new ExportCommand(terminal))
              .addSubcommand(new ReshardCommand(terminal));
      case "bench" ->
          new CommandLine(new BenchCommand())
              .addSubcommand(new BenchAttentionCommand(terminal, interrupted))
              .addSubcommand(new BenchGenerateCommand(terminal, interrupted))
              .addSubcommand(new BenchMoeCommand(terminal, interrupted))
              .addSubcommand(new BenchLmCommand(terminal, interrupted))
              .addSubcommand(new BenchServeCommand(terminal, interrupted))
              .addSubcommand(new BenchExchangeCommand(terminal, interrupted));
      // What follows the command to launch is the command's.
      case "launch" ->
          new CommandLine(new LaunchCommand(terminal, interrupted)).setStopAtPositional(true);
      case "lab" ->
          new CommandLine(new LabCommand(terminal, interrupted))
              .addSubcommand(new LabCheckCommand(terminal))
              .addSubcommand(new LabMeasureCommand(terminal, interrupted))
              .addSubcommand(new LabCleanCommand(terminal))
              .setStopAtPositional(true);
      case "plan" -> new CommandLine(new PlanCommand(terminal, interrupted));
      case "doctor" -> new CommandLine(new DoctorCommand(terminal));
      case "bundle" -> new CommandLine(new BundleCommand(terminal, interrupted));
      case COMPLETION -> new CommandLine(new GenerateCompletion());
      default -> throw new IllegalArgumentException("No command is called " + name);
    };
  }

  /**
   * Lets {@code --attn.name=value} reach the option {@code --attn}, whose argument is a pair; and
   * of commands that train any {@code --section.key=value} the option {@code --set}.
   */
  private static String[] separated(String[] args) {
    if (args.length > 0 && LAUNCHING.contains(args[0])) {
      return args; // what is launched reads its own
    }
    boolean trains =
        IntStream.rangeClosed(1, Math.min(2, args.length))
            .mapToObj(words -> String.join(" ", List.of(args).subList(0, words)))
            .anyMatch(TRAINING::contains);
    List<String> separated = new ArrayList<>();
    for (String arg : args) {
      if (trains && SECTION.matcher(arg).matches()) {
        separated.add("--set");
        separated.add(arg.substring(2));
      } else if (arg.startsWith(SETTING)) {
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
