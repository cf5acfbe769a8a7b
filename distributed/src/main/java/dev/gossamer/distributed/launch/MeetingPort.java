package dev.gossamer.distributed.launch;

import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.net.ServerSocket;

/** The port at which rank 0 will wait for the others. */
final class MeetingPort {
  private MeetingPort() {}

  /**
   * The nodes with a port: a free one if none is given. One that is given has to be free here if
   * rank 0 is to be here.
   */
  static Nodes settle(Nodes nodes) {
    if (nodes.node() > 0) {
      return nodes;
    }
    // Closed again for rank 0 to open: systems hand out such ports in turn, not twice in a row.
    try (ServerSocket socket = new ServerSocket(nodes.masterPort())) {
      return nodes.withMasterPort(socket.getLocalPort());
    } catch (IOException e) {
      throw new EnvironmentException(
          "Ranks cannot meet at port " + nodes.masterPort() + ": " + e.getMessage(),
          "Stop what uses it, or name another one by --master",
          e);
    }
  }
}
