package dev.gossamer.tensor.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file, mapped from disk: a header that names each tensor's type, shape and bytes,
 * then the bytes. The header is checked in full when the file is opened, before anything is mapped;
 * a tensor is mapped when it is asked for and costs no memory of its own.
 *
 * <p>Layout: header length (u64, little endian), JSON header, data. Offsets count from the end of
 * the header, must stay inside the file, must not overlap and must be as long as type and shape
 * say.
 */
public final class SafetensorsFile {
  private static final long MAX_HEADER_BYTES = 100L << 20;
  private static final int MAX_DIMENSIONS = 32;
  private static final int MAX_QUOTED = 120;
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  /**
   * What the header says of one tensor.
   *
   * @param name the full name
   * @param dtype element type
   * @param shape sizes, empty for a single number
   * @param offset first byte in the file, counted from the file's start
   * @param bytes length in bytes
   */
  public record Entry(String name, DType dtype, List<Long> shape, long offset, long bytes) {
    /** The same numbers in another shape. */
    Entry shaped(List<Long> other) {
      return new Entry(name, dtype, List.copyOf(other), offset, bytes);
    }

    /** The same under another name. */
    Entry named(String other) {
      return new Entry(other, dtype, shape, offset, bytes);
    }

    long[] sizes() {
      return shape.stream().mapToLong(Long::longValue).toArray();
    }
  }

  private final Path path;
  private final Map<String, Entry> entries;
  private final Map<String, String> metadata;

  private SafetensorsFile(Path path, Map<String, Entry> entries, Map<String, String> metadata) {
    this.path = path;
    this.entries = Collections.unmodifiableMap(entries);
    this.metadata = Collections.unmodifiableMap(metadata);
  }

  /**
   * Reads and checks the header.
   *
   * @throws BadInputException if the file is missing, truncated or not what it claims to be
   */
  public static SafetensorsFile open(Path path) {
    if (Files.isDirectory(path) || Files.notExists(path)) {
      throw new BadInputException(
          "Cannot read "
              + path
              + ": "
              + (Files.isDirectory(path) ? "it is a folder" : "no such file"),
          "Check its name, or copy the file there");
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      ByteBuffer prefix = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      if (size < 8 || !readFully(channel, prefix, 0)) {
        throw bad(
            path, "it has " + size + " bytes, fewer than the 8 of a safetensors file's start");
      }
      long headerBytes = prefix.getLong(0);
      if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES || headerBytes > size - 8) {
        refuseOtherForms(path, prefix.array());
        throw bad(
            path,
            "its header claims "
                + Long.toUnsignedString(headerBytes)
                + " bytes in a file of "
                + size);
      }
      ByteBuffer header = ByteBuffer.allocate((int) headerBytes);
      if (!readFully(channel, header, 8)) {
        throw bad(path, "it ends inside its header");
      }
      JsonNode root;
      try {
        root = JSON.readTree(header.array());
      } catch (JsonProcessingException e) {
        throw bad(path, "its header is not valid JSON: " + e.getOriginalMessage());
      }
      if (root == null || !root.isObject()) {
        throw bad(path, "its header is not a JSON object");
      }
      Map<String, Entry> entries = new LinkedHashMap<>();
      Map<String, String> metadata = new LinkedHashMap<>();
      for (Map.Entry<String, JsonNode> field : root.properties()) {
        if (field.getKey().equals("__metadata__")) {
          for (Map.Entry<String, JsonNode> note : field.getValue().properties()) {
            metadata.put(note.getKey(), note.getValue().asText());
          }
        } else {
          Entry entry = entry(path, field.getKey(), field.getValue(), 8 + headerBytes, size);
          entries.put(entry.name(), entry);
        }
      }
      refuseOverlaps(path, entries);
      return new SafetensorsFile(path, entries, metadata);
    } catch (IOException e) {
      throw bad(path, "it cannot be read: " + PartFile.reason(e));
    }
  }

  private static boolean readFully(FileChannel channel, ByteBuffer into, long from)
      throws IOException {
    while (into.hasRemaining()) {
      int read = channel.read(into, from + into.position());
      if (read < 0) {
        return false;
      }
    }
    return true;
  }

  private static Entry entry(Path path, String name, JsonNode node, long dataStart, long fileSize) {
    JsonNode shapeNode = node.path("shape");
    JsonNode offsets = node.path("data_offsets");
    String who = "tensor '" + quoted(name) + "'";
    if (!node.path("dtype").isTextual()
        || !shapeNode.isArray()
        || !offsets.isArray()
        || offsets.size() != 2) {
      throw bad(path, who + " lacks a dtype, shape or data_offsets");
    }
    DType dtype =
        Arrays.stream(DType.values())
            .filter(type -> type.safetensorsName().equals(node.path("dtype").asText()))
            .findFirst()
            .orElseThrow(
                () ->
                    bad(
                        path,
                        who + " has the unknown dtype " + quoted(node.get("dtype").asText())));
    List<Long> shape = shape(path, who, shapeNode);
    long bytes = bytes(path, who, shape, dtype);
    if (!whole(offsets.get(0)) || !whole(offsets.get(1))) {
      throw bad(path, who + " has the data_offsets " + quoted(offsets.toString()));
    }
    long begin = offsets.get(0).asLong();
    long end = offsets.get(1).asLong();
    if (begin < 0 || end < begin || end > fileSize - dataStart) {
      throw bad(
          path,
          who
              + " lies at "
              + quoted(offsets.toString())
              + ", outside of the file's "
              + (fileSize - dataStart)
              + " bytes of data; the file may be truncated");
    }
    if (end - begin != bytes) {
      throw bad(
          path,
          who
              + " has "
              + (end - begin)
              + " bytes, but "
              + dtype.safetensorsName()
              + " "
              + shape
              + " needs "
              + bytes);
    }
    return new Entry(name, dtype, shape, dataStart + begin, bytes);
  }

  private static List<Long> shape(Path path, String who, JsonNode sizes) {
    List<Long> shape = new ArrayList<>();
    for (JsonNode size : sizes) {
      if (!whole(size) || size.asLong() < 0 || shape.size() == MAX_DIMENSIONS) {
        throw bad(path, who + " has the shape " + quoted(sizes.toString()));
      }
      shape.add(size.asLong());
    }
    return List.copyOf(shape);
  }

  private static long bytes(Path path, String who, List<Long> shape, DType dtype) {
    long withoutZeros = dtype.bytes();
    try {
      for (long size : shape) {
        withoutZeros = Math.multiplyExact(withoutZeros, Math.max(size, 1));
      }
    } catch (ArithmeticException e) {
      throw bad(path, who + " has the shape " + shape + ", more than fits");
    }
    return shape.contains(0L) ? 0 : withoutZeros;
  }

  /** Text out of the file, short enough for a message. */
  private static String quoted(String text) {
    return text.length() <= MAX_QUOTED ? text : text.substring(0, MAX_QUOTED) + "...";
  }

  private static boolean whole(JsonNode number) {
    return number.isIntegralNumber() && number.canConvertToLong();
  }

  private static void refuseOverlaps(Path path, Map<String, Entry> entries) {
    List<Entry> byOffset = new ArrayList<>(entries.values());
    byOffset.sort(Comparator.comparingLong(Entry::offset).thenComparingLong(Entry::bytes));
    for (int i = 1; i < byOffset.size(); i++) {
      Entry before = byOffset.get(i - 1);
      Entry after = byOffset.get(i);
      if (before.offset() + before.bytes() > after.offset()) {
        throw bad(
            path,
            "tensors '" + quoted(before.name()) + "' and '" + quoted(after.name()) + "' overlap");
      }
    }
  }

  /** Files that hold weights in a form that is not read, by how they begin. */
  private static void refuseOtherForms(Path path, byte[] start) {
    String text = new String(start, StandardCharsets.ISO_8859_1);
    boolean pickle = text.matches("(?s)PK\u0003\u0004.*|\u0080[\u0002-\u0005].*");
    if (pickle || text.startsWith("GGUF")) {
      throw new BadInputException(
          "Cannot read "
              + path
              + ": it is "
              + (pickle
                  ? "a pickle of PyTorch, which is code"
                  : "a GGUF file of quantised weights"),
          "Use the safetensors file of the same model");
    }
  }

  private static BadInputException bad(Path path, String what) {
    return new BadInputException(
        "Cannot read " + path + ": " + what, "Download or copy the file again");
  }

  public Path path() {
    return path;
  }

  /** The tensors by name, in the header's order. */
  public Map<String, Entry> entries() {
    return entries;
  }

  /** The free-form notes of the file. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /**
   * Maps one tensor; it belongs to the current scope, and must not be changed in place.
   *
   * @throws BadInputException if the file has no such tensor
   */
  public Tensor tensor(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new BadInputException(
          path + " has no tensor '" + name + "'", "It has: " + firstNames(entries.keySet()));
    }
    if (entry.bytes() == 0) {
      return Tensor.empty(entry.dtype(), entry.sizes());
    }
    if (entry.bytes() > Integer.MAX_VALUE) {
      return largeTensor(entry);
    }
    return piece(entry, 0, entry.bytes() / entry.dtype().bytes(), entry.sizes());
  }

  /** One mapping covers at most 2 GiB: a larger tensor is copied together from pieces. */
  private Tensor largeTensor(Entry entry) {
    long elements = entry.bytes() / entry.dtype().bytes();
    long atOnce = (1L << 30) / entry.dtype().bytes();
    Tensor whole = Tensor.empty(entry.dtype(), elements);
    for (long start = 0; start < elements; start += atOnce) {
      long length = Math.min(atOnce, elements - start);
      try (Scope scope = Scope.open()) {
        whole.narrow(0, start, length).copyFrom(piece(entry, start, length, length));
      }
    }
    return whole.reshape(entry.sizes());
  }

  /** Elements from {@code start} on, under 2 GiB. */
  private Tensor piece(Entry entry, long start, long length, long... shape) {
    int elementBytes = entry.dtype().bytes();
    long offset = entry.offset() + start * elementBytes;
    ByteBuffer mapped = map(offset, length * elementBytes);
    if (offset % elementBytes != 0) {
      // A mapped address is as odd as its offset; libtorch wants whole elements.
      ByteBuffer aligned =
          ByteBuffer.allocateDirect(mapped.capacity()).order(ByteOrder.nativeOrder());
      mapped = aligned.put(mapped).rewind();
    }
    return Tensor.over(mapped, entry.dtype(), shape);
  }

  private ByteBuffer map(long offset, long bytes) {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      return channel
          .map(FileChannel.MapMode.READ_ONLY, offset, bytes)
          .order(ByteOrder.nativeOrder());
    } catch (IOException e) {
      throw bad(path, "it can no longer be mapped: " + e.getMessage());
    }
  }

  private static String firstNames(Collection<String> names) {
    List<String> first = names.stream().limit(8).map(SafetensorsFile::quoted).toList();
    return String.join(", ", first) + (names.size() > first.size() ? ", ..." : "");
  }
}
