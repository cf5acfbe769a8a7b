package dev.gossamer.tensor.failure;

/** A file or folder that was handed in cannot be used as it is. Exit code 3. */
public final class BadInputException extends GossamerException {
  private static final long serialVersionUID = 1L;

  public BadInputException(String message, String remedy) {
    super(message, remedy);
  }

  public BadInputException(String message, String remedy, Throwable cause) {
    super(message, remedy, cause);
  }

  @Override
  public int exitCode() {
    return 3;
  }
}
