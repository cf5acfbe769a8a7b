package dev.gossamer.cli;

import dev.gossamer.tensor.failure.GossamerException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.stream.IntStream;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The one place where a failure becomes an exit code and exactly one line {@code gossamer: ...} on
 * stderr; the stack trace follows under {@code --verbose}.
 */
final class FailureLine implements IExecutionExceptionHandler, IParameterExceptionHandler {
  static final int FAILED = 1;
  static final int USAGE = 2;
  static final int ENVIRONMENT = 4;

  private final Terminal terminal;

  FailureLine(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public int handleParseException(ParameterException e, String[] args) {
    String command = e.getCommandLine().getCommandSpec().qualifiedName();
    String help = ". See '" + command + " --help'";
    boolean verbose = List.of(args).contains(CommonArguments.VERBOSE);
    print(
        (e instanceof UnmatchedArgumentException u ? unknown(u) : wrongUse(e)) + help, e, verbose);
    return USAGE;
  }

  private static String wrongUse(ParameterException e) {
    return e.getCause() instanceof GossamerException cause
        ? cause.getMessage()
        : inPlainWords(firstLine(e.getMessage()));
  }

  /** Picocli names Java's types; a person wants numbers and paths. */
  private static String inPlainWords(String message) {
    return message
        .replaceAll(" is not an? (int|long)$", " is not a whole number in range")
        .replaceAll(" is not a double$", " is not a number")
        .replaceAll("cannot convert ('.*') to .*Path \\(.*", "$1 is no path here")
        .replace("option option", "option");
  }

  private static String unknown(UnmatchedArgumentException e) {
    String word = e.getUnmatched().get(0);
    List<String> near = e.getSuggestions().stream().filter(it -> isNear(word, it)).toList();
    if (near.contains(word)) { // an option behind --
      return "Unexpected argument '" + word + "'; options stand before --";
    }
    String what =
        e.isUnknownOption()
            ? "Unknown option"
            : e.getCommandLine().getSubcommands().isEmpty()
                ? "Unexpected argument"
                : "Unknown command";
    return what
        + " '"
        + word
        + "'"
        + (near.isEmpty() ? "" : "; the nearest is " + String.join(" or ", near));
  }

  /** Picocli suggests the best that it has, however far. */
  private static boolean isNear(String word, String suggestion) {
    return suggestion.startsWith(word) || distance(word, suggestion) <= word.length() / 3;
  }

  /** Letters to insert, leave out or exchange to make one word of the other (Levenshtein). */
  private static int distance(String a, String b) {
    int[] row = IntStream.rangeClosed(0, b.length()).toArray();
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int exchanged = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(exchanged, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }

  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
    boolean verbose = parsed.expandedArgs().contains(CommonArguments.VERBOSE);
    return report(e, verbose);
  }

  /**
   * Prints the line of any failure.
   *
   * @return the exit code
   */
  int report(Throwable e, boolean verbose) {
    boolean environment = e instanceof UncheckedIOException || e instanceof OutOfMemoryError;
    boolean unexpected = !(e instanceof GossamerException || environment);
    print(message(e) + (unexpected && !verbose ? ". --verbose shows where" : ""), e, verbose);
    return e instanceof GossamerException ours
        ? ours.exitCode()
        : environment ? ENVIRONMENT : FAILED;
  }

  /** What went wrong, in one line. */
  static String message(Throwable e) {
    if (e instanceof GossamerException || e instanceof UncheckedIOException) {
      return oneLine(e.getMessage());
    }
    if (e instanceof OutOfMemoryError) {
      return "Java's heap is full. Set JAVA_OPTIONS=-Xmx8g, or ask for less";
    }
    return "Unexpected "
        + e.getClass().getSimpleName()
        + ": "
        + firstLine(String.valueOf(e.getMessage()));
  }

  private void print(String message, Throwable e, boolean verbose) {
    terminal.err().println("gossamer: " + oneLine(message));
    if (verbose) {
      e.printStackTrace(terminal.err());
    }
  }

  private static String oneLine(String text) {
    return text.replaceAll("\\s*\\R\\s*", " ");
  }

  private static String firstLine(String text) {
    return text.lines().findFirst().orElse("");
  }
}
