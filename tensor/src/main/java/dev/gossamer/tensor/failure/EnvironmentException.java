package dev.gossamer.tensor.failure;

/** The machine lacks something: a library, memory, a writable folder. Exit code 4. */
public final class EnvironmentException extends GossamerException {
  private static final long serialVersionUID = 1L;

  public EnvironmentException(String message, String remedy) {
    super(message, remedy);
  }

  public EnvironmentException(String message, String remedy, Throwable cause) {
    super(message, remedy, cause);
  }

  @Override
  public int exitCode() {
    return 4;
  }
}
