package dev.gossamer.tensor.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Writes safetensors files: under a temporary name first, so that a file is whole or absent. */
public final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /**
   * @param path the file; replaced if it exists
   * @param tensors by name, written in the map's order, each of less than 2 GiB
   * @param metadata free-form notes
   * @throws dev.gossamer.tensor.failure.EnvironmentException if the file cannot be written; nothing
   *     is left behind then
   */
  public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) {
    Map<String, Outline> outlines = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> outlines.put(name, Outline.of(tensor)));
    write(path, outlines, tensors::get, metadata);
  }

  /** What a header says of a tensor. */
  public record Outline(DType dtype, List<Long> shape) {
    static Outline of(Tensor tensor) {
      return new Outline(tensor.dtype(), Arrays.stream(tensor.shape()).boxed().toList());
    }

    /** Bytes of its numbers. */
    public long bytes() {
      return shape.stream().reduce((long) dtype.bytes(), Math::multiplyExact);
    }
  }

  /**
   * Writes tensors that are made one at a time, so that memory holds one only.
   *
   * @param tensors by name, written in the map's order, each of less than 2 GiB
   * @param make makes a tensor, in a scope of its own, when its turn has come
   */
  public static void write(
      Path path,
      Map<String, Outline> tensors,
      Function<String, Tensor> make,
      Map<String, String> metadata) {
    PartFile part = new PartFile(path);
    try (FileChannel channel =
        FileChannel.open(
            part.path(),
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      writeAll(channel, ByteBuffer.wrap(header(tensors, metadata)));
      for (Map.Entry<String, Outline> entry : tensors.entrySet()) {
        try (Scope scope = Scope.open()) {
          Tensor tensor = make.apply(entry.getKey());
          if (!Outline.of(tensor).equals(entry.getValue())) {
            throw new IllegalStateException(entry.getKey() + " is not " + entry.getValue());
          }
          Tensor plain = tensor.to(Device.CPU).contiguous();
          if (plain.count() > 0) {
            writeAll(channel, plain.memory());
          }
        }
      }
    } catch (IOException e) {
      part.discard();
      throw part.failure(PartFile.reason(e), e);
    } catch (RuntimeException | Error e) {
      part.discard();
      throw e;
    }
    part.commit();
  }

  private static byte[] header(Map<String, Outline> tensors, Map<String, String> metadata)
      throws JsonProcessingException {
    Map<String, Object> header = new LinkedHashMap<>();
    if (!metadata.isEmpty()) {
      header.put("__metadata__", metadata);
    }
    long offset = 0;
    for (Map.Entry<String, Outline> entry : tensors.entrySet()) {
      Outline tensor = entry.getValue();
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("dtype", tensor.dtype().safetensorsName());
      facts.put("shape", tensor.shape());
      facts.put("data_offsets", new long[] {offset, offset + tensor.bytes()});
      offset += tensor.bytes();
      header.put(entry.getKey(), facts);
    }
    byte[] json = new ObjectMapper().writeValueAsBytes(header);
    int padded = (json.length + 7) / 8 * 8; // so that tensors start aligned
    ByteBuffer bytes = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(padded).put(json);
    bytes.put(" ".repeat(padded - json.length).getBytes(StandardCharsets.US_ASCII));
    return bytes.array();
  }

  private static void writeAll(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
