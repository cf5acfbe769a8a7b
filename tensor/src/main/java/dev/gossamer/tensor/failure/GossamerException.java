package dev.gossamer.tensor.failure;

/**
 * A failure that a person can act on: one line that says what was being done, what was found, and
 * what to do. The command line prints that line and exits with {@link #exitCode()}.
 */
public class GossamerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String found;
  private final String remedy;

  /**
   * @param message what was being done and what was found, without a full stop
   * @param remedy what the reader can do about it; may be empty
   */
  public GossamerException(String message, String remedy) {
    this(message, remedy, null);
  }

  public GossamerException(String message, String remedy, Throwable cause) {
    super(oneLine(remedy.isEmpty() ? message : message + ". " + remedy), cause);
    this.found = oneLine(message);
    this.remedy = remedy;
  }

  /** Names out of files end up in messages; they must not break the line or steer a terminal. */
  private static String oneLine(String message) {
    return message.replaceAll("\\R|\\p{Cc}", " ");
  }

  /** What was being done and what was found: the message without the remedy. */
  public final String found() {
    return found;
  }

  /** What the reader can do about it; may be empty. */
  public final String remedy() {
    return remedy;
  }

  /**
   * The exit code of the command line: 1, failed while running, unless a subclass says otherwise.
   */
  public int exitCode() {
    return 1;
  }
}
