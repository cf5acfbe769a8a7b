package dev.gossamer.lm.checkpoint;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.distributed.Reduction;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Texts of all ranks on all ranks. */
final class RankTexts {
  private RankTexts() {}

  static List<String> gather(Communicator world, String own) {
    byte[] bytes = own.getBytes(StandardCharsets.UTF_8);
    try (Scope scope = Scope.open()) {
      Tensor longest = Tensor.of(new long[] {bytes.length}, 1);
      world.allReduce(longest, Reduction.MAXIMUM);
      int[] padded = new int[(int) longest.item() + 1];
      padded[0] = bytes.length;
      for (int i = 0; i < bytes.length; i++) {
        padded[i + 1] = bytes[i];
      }
      int[] all = world.allGather(Tensor.of(padded, padded.length)).to(DType.INT32).toInts();
      List<String> texts = new ArrayList<>();
      for (int rank = 0; rank < world.size(); rank++) {
        int at = rank * padded.length;
        int[] of = Arrays.copyOfRange(all, at + 1, at + 1 + all[at]);
        byte[] text = new byte[of.length];
        for (int i = 0; i < of.length; i++) {
          text[i] = (byte) of[i];
        }
        texts.add(new String(text, StandardCharsets.UTF_8));
      }
      return texts;
    }
  }
}
