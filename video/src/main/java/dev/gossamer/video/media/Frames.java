package dev.gossamer.video.media;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The pictures of a video or of a piece of one: one or more frames, all of one size.
 *
 * <p>Made from decoded tensors of any floating type by {@code round(255 * v)}, halves to even, as
 * the reference pipelines do. Values outside of the range are cut off; NaN and infinity are
 * refused, because they would be saved as a black video that took minutes to make.
 *
 * @param all in order of time
 */
public record Frames(List<Frame> all) implements Iterable<Frame> {
  /**
   * @throws IllegalArgumentException if there is no frame, or if sizes differ
   */
  public Frames {
    all = List.copyOf(all);
    if (all.isEmpty()) {
      throw new IllegalArgumentException("A video needs at least one frame, there is none");
    }
    for (int i = 1; i < all.size(); i++) {
      if (all.get(i).width() != all.get(0).width() || all.get(i).height() != all.get(0).height()) {
        throw new IllegalArgumentException(
            "Frame "
                + i
                + " is "
                + all.get(i).size()
                + ", the ones before it are "
                + all.get(0).size());
      }
    }
  }

  /** Frames one by one. */
  public static Frames of(Frame... frames) {
    return new Frames(List.of(frames));
  }

  /**
   * @param values [frames, 3, height, width], 0..1
   */
  public static Frames ofChannelsFirst(Tensor values) {
    requireShape(values, 4, 1, "[frames, 3, height, width]");
    try (Scope scope = Scope.open()) {
      return quantised(values.permute(0, 2, 3, 1), unit -> unit);
    }
  }

  /**
   * @param values [frames, height, width, 3], 0..1
   */
  public static Frames ofChannelsLast(Tensor values) {
    requireShape(values, 4, 3, "[frames, height, width, 3]");
    return quantised(values, unit -> unit);
  }

  /**
   * What an autoencoder decodes: {@code v = clamp(x / 2 + 0.5, 0, 1)}.
   *
   * @param values [1, 3, frames, height, width], -1..1
   */
  public static Frames ofDecoded(Tensor values) {
    requireShape(values, 5, 1, "[1, 3, frames, height, width]");
    if (values.size(0) != 1) {
      throw new IllegalArgumentException(
          "Frames are made from one video at a time, not from " + values.size(0));
    }
    try (Scope scope = Scope.open()) {
      Tensor video = values.select(0, 0).permute(1, 2, 3, 0);
      return quantised(video, x -> x.div(2).addInPlace(0.5));
    }
  }

  private static void requireShape(Tensor values, int dims, int channelDim, String expected) {
    if (values.dims() != dims || values.size(channelDim) != 3 || !values.dtype().isFloating()) {
      throw new IllegalArgumentException(
          "Frames are made from floating values "
              + expected
              + ", not from "
              + values.dtype()
              + " "
              + Arrays.toString(values.shape()));
    }
  }

  /** Bytes of [frames, height, width, 3], one frame at a time so that copies stay small. */
  private static Frames quantised(Tensor values, UnaryOperator<Tensor> toUnit) {
    List<Frame> frames = new ArrayList<>();
    for (long i = 0; i < values.size(0); i++) {
      try (Scope scope = Scope.open()) {
        Tensor frame = values.select(0, i).to(DType.FLOAT32);
        if (!frame.isFinite().all().isTrue()) {
          throw new GossamerException(
              "Decoded frame " + i + " holds NaN or infinity",
              "The weights or the compute type are at fault; try --dtype fp32");
        }
        Tensor bytes = toUnit.apply(frame).mul(255).clampInPlace(0, 255).round().to(DType.UINT8);
        byte[] rgb = new byte[Math.toIntExact(bytes.count())];
        bytes.contiguous().to(Device.CPU).memory().get(0, rgb);
        frames.add(new Frame((int) frame.size(1), (int) frame.size(0), rgb));
      }
    }
    return new Frames(frames);
  }

  /** The frames of several pieces, one after the other. */
  public static Frames join(List<Frames> pieces) {
    return new Frames(pieces.stream().flatMap(piece -> piece.all.stream()).toList());
  }

  public Frame get(int index) {
    return all.get(index);
  }

  public int count() {
    return all.size();
  }

  /** Pixels of a row. */
  public int width() {
    return all.get(0).width();
  }

  /** Rows of a frame. */
  public int height() {
    return all.get(0).height();
  }

  @Override
  public Iterator<Frame> iterator() {
    return all.iterator();
  }
}
