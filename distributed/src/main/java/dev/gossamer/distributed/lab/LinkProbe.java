package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.RankEnvironment;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The program of two ranks that send each other bytes over TCP: first one, then the other, then
 * both at once. Each writes what it received, one rate per phase, in bit/s of payload.
 */
final class LinkProbe {
  /** Of what arrives, the first is not counted: bursts, and a sender that feels its way. */
  private static final long WARM_UP = TimeUnit.MILLISECONDS.toNanos(500);

  private static final long MEETING = TimeUnit.SECONDS.toNanos(30);
  private static final int SILENCE_MILLIS = 30_000;

  /** Enough for any rate without latency, and no more to wait for at the end of a slow phase. */
  private static final int SEND_BUFFER = 1 << 18;

  private static final int CHUNK = 1 << 16;
  private static final int PHASES = 3;

  private final RankEnvironment rank;
  private final long duration;

  private LinkProbe(RankEnvironment rank, long duration) {
    this.rank = rank;
    this.duration = duration;
  }

  /**
   * @param words seconds per phase, and the folder for {@code rank-0} and {@code rank-1}
   */
  public static void main(String[] words) throws Exception {
    RankEnvironment rank = RankEnvironment.of(System.getenv());
    long duration = Math.round(Double.parseDouble(words[0]) * 1e9);
    List<String> rates = new ArrayList<>();
    for (double rate : new LinkProbe(rank, duration).rates()) {
      rates.add(Double.toString(rate));
    }
    Files.write(Path.of(words[1], "rank-" + rank.rank()), rates);
  }

  private List<Double> rates() throws IOException, InterruptedException {
    List<Double> rates = new ArrayList<>();
    InetSocketAddress meeting = new InetSocketAddress(rank.masterAddress(), rank.masterPort());
    if (rank.rank() > 0) {
      for (int phase = 0; phase < PHASES; phase++) {
        rates.add(exchange(connect(meeting), phase));
      }
      return rates;
    }
    try (ServerSocket server = new ServerSocket()) {
      server.setReuseAddress(true);
      server.setSoTimeout((int) TimeUnit.NANOSECONDS.toMillis(MEETING));
      server.bind(meeting);
      for (int phase = 0; phase < PHASES; phase++) {
        rates.add(exchange(server.accept(), phase));
      }
    }
    return rates;
  }

  /** Rank 0 may not listen yet. */
  private static Socket connect(InetSocketAddress meeting) throws IOException {
    long deadline = System.nanoTime() + MEETING;
    while (true) {
      Socket socket = new Socket();
      try {
        socket.connect(meeting, SILENCE_MILLIS);
        return socket;
      } catch (IOException e) {
        socket.close();
        if (System.nanoTime() > deadline) {
          throw e;
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
      }
    }
  }

  private double exchange(Socket socket, int phase) throws IOException, InterruptedException {
    boolean sends = phase == 2 || phase == rank.rank();
    try (socket) {
      socket.setSoTimeout(SILENCE_MILLIS);
      socket.setSendBufferSize(SEND_BUFFER);
      Thread sender = new Thread(() -> send(socket, sends), "sender");
      sender.start();
      double rate = receive(socket.getInputStream());
      sender.join();
      return rate;
    }
  }

  private void send(Socket socket, boolean sends) {
    byte[] chunk = new byte[CHUNK];
    long begin = System.nanoTime();
    try {
      OutputStream out = socket.getOutputStream();
      while (sends && System.nanoTime() - begin < WARM_UP + duration) {
        out.write(chunk);
      }
      socket.shutdownOutput();
    } catch (IOException e) {
      // The receiver has gone, and says why.
    }
  }

  /** Bits per second from the end of the warm-up to the end of the stream. */
  private static double receive(InputStream in) throws IOException {
    byte[] chunk = new byte[CHUNK];
    long begin = 0;
    long from = 0;
    long last = 0;
    long bytes = 0;
    int count;
    while ((count = in.read(chunk)) >= 0) {
      last = System.nanoTime();
      begin = begin == 0 ? last : begin;
      if (from != 0) {
        bytes += count;
      } else if (last - begin >= WARM_UP) {
        from = last;
      }
    }
    return bytes == 0 ? 0 : bytes * 8e9 / (last - from);
  }
}
