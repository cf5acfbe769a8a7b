package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.RankEnvironment;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** A program for ranks: the last sends so many bytes to rank 0 by TCP, which says what it got. */
final class Parcel {
  private Parcel() {}

  public static void main(String[] words) throws Exception {
    int bytes = Integer.parseInt(words[0]);
    RankEnvironment rank = RankEnvironment.of(System.getenv());
    InetSocketAddress meeting = new InetSocketAddress(rank.masterAddress(), rank.masterPort());
    if (rank.rank() == 0) {
      try (ServerSocket server = new ServerSocket()) {
        server.bind(meeting);
        try (Socket socket = server.accept()) {
          System.out.println(
              socket.getInputStream().readAllBytes().length
                  + " from "
                  + socket.getInetAddress().getHostAddress());
        }
      }
    } else if (rank.rank() == rank.size() - 1) {
      send(meeting, bytes);
    }
  }

  private static void send(InetSocketAddress meeting, int bytes) throws Exception {
    for (int attempt = 0; ; attempt++) {
      try (Socket socket = new Socket()) {
        socket.connect(meeting, 1000);
        socket.getOutputStream().write(new byte[bytes]);
        return;
      } catch (IOException e) {
        if (attempt == 200) {
          throw e;
        }
        Thread.sleep(50);
      }
    }
  }
}
