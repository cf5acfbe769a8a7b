package dev.gossamer.tensor.failure;

/** The request itself is wrong: an unknown option, a size that no model can draw. Exit code 2. */
public final class UsageException extends GossamerException {
  private static final long serialVersionUID = 1L;

  public UsageException(String message, String remedy) {
    super(message, remedy);
  }

  public UsageException(String message, String remedy, Throwable cause) {
    super(message, remedy, cause);
  }

  @Override
  public int exitCode() {
    return 2;
  }
}
