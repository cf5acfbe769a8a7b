package dev.gossamer.tensor.failure;

/** The run was stopped from outside, by Ctrl-C or by the caller. Exit code 130. */
public final class InterruptedRunException extends GossamerException {
  private static final long serialVersionUID = 1L;

  public InterruptedRunException(String message, String remedy) {
    super(message, remedy);
  }

  public InterruptedRunException(String message, String remedy, Throwable cause) {
    super(message, remedy, cause);
  }

  @Override
  public int exitCode() {
    return 130;
  }
}
