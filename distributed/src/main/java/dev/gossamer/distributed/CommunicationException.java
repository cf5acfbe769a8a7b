package dev.gossamer.distributed;

import dev.gossamer.tensor.failure.GossamerException;

/** A peer failed, hung, or asked for something else than this rank. Exit code 1. */
public final class CommunicationException extends GossamerException {
  private static final long serialVersionUID = 1L;

  public CommunicationException(String message, String remedy) {
    super(message, remedy);
  }

  public CommunicationException(String message, String remedy, Throwable cause) {
    super(message, remedy, cause);
  }
}
