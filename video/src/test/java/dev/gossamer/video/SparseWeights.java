package dev.gossamer.video;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gossamer.tensor.Golden;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/** Weight files of full size that take no room on disk: a header, and nothing behind it. */
public final class SparseWeights {
  private static final ObjectMapper JSON = new ObjectMapper();

  private SparseWeights() {}

  /** Names and shapes among the test resources, gzipped or not. */
  public static Map<String, List<Long>> shapes(String resource) throws IOException {
    try (InputStream file = Files.newInputStream(Golden.path(resource))) {
      return JSON.readValue(
          resource.endsWith(".gz") ? new GZIPInputStream(file) : file, new TypeReference<>() {});
    }
  }

  /**
   * Writes a file of bf16 zeros.
   *
   * @param prefix before each name
   */
  public static Path write(Path file, String prefix, Map<String, List<Long>> shapes)
      throws IOException {
    Map<String, Object> header = new LinkedHashMap<>();
    long offset = 0;
    for (Map.Entry<String, List<Long>> tensor : shapes.entrySet()) {
      long bytes = tensor.getValue().stream().reduce(2L, Math::multiplyExact);
      header.put(
          prefix + tensor.getKey(),
          Map.of(
              "dtype", "BF16",
              "shape", tensor.getValue(),
              "data_offsets", List.of(offset, offset + bytes)));
      offset += bytes;
    }
    byte[] json = JSON.writeValueAsBytes(header);
    try (RandomAccessFile written = new RandomAccessFile(file.toFile(), "rw")) {
      written.write(
          ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).array());
      written.write(json);
      written.setLength(8 + json.length + offset);
    }
    return file;
  }
}
