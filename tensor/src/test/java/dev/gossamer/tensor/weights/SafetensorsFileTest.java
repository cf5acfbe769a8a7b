package dev.gossamer.tensor.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Generator;
import dev.gossamer.tensor.Golden;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
  private static final int MUTATIONS = 2000;

  @TempDir Path folder;

  private Path file() {
    return folder.resolve("a.safetensors");
  }

  /** A file with this header and so many bytes of data. */
  private Path write(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return write(json.length, json, dataBytes);
  }

  private Path write(long claimed, byte[] json, int dataBytes) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(claimed).put(json);
    return Files.write(file(), bytes.array());
  }

  private static String tensor(String dtype, String shape, String offsets) {
    return "{\"a\":" + facts(dtype, shape, offsets) + "}";
  }

  private static String facts(String dtype, String shape, String offsets) {
    return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
  }

  private static void assertRefused(Path path, String reason) {
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .isInstanceOf(BadInputException.class)
        .hasMessageStartingWith("Cannot read " + path)
        .hasMessageContaining(reason)
        .hasMessageNotContaining("\n");
  }

  // Writing and reading again

  @ParameterizedTest
  @EnumSource(DType.class)
  void readsBackWhatWasWritten(DType dtype) {
    try (Scope scope = Scope.open()) {
      Tensor values = Tensor.of(new float[] {0, 1, 1, 0, 1, 0}, 2, 3).to(dtype);
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("matrix", values);
      tensors.put("odd", values.reshape(6).narrow(0, 0, 1));
      tensors.put("turned", values.transpose(0, 1));
      tensors.put("number", values.to(DType.FLOAT32).sum().to(dtype));
      tensors.put("nothing", Tensor.zeros(dtype, 0, 4));
      SafetensorsWriter.write(file(), tensors, Map.of("by", "a test"));

      SafetensorsFile read = SafetensorsFile.open(file());
      assertThat(read.entries().keySet()).containsExactlyElementsOf(tensors.keySet());
      assertThat(read.metadata()).containsExactly(Map.entry("by", "a test"));
      tensors.forEach(
          (name, written) -> {
            assertThat(read.tensor(name).dtype()).isEqualTo(dtype);
            assertThat(read.tensor(name).shape()).isEqualTo(written.shape());
            assertThat(read.tensor(name).toDoubles()).isEqualTo(written.toDoubles());
          });
    }
  }

  @Test
  void keepsEveryBitOfRandomNumbers() {
    try (Scope scope = Scope.open();
        Generator random = Generator.seeded(1)) {
      Tensor numbers = random.normal(37, 53);
      SafetensorsWriter.write(file(), Map.of("numbers", numbers), Map.of());
      Tensor read = SafetensorsFile.open(file()).tensor("numbers");
      assertThat(Golden.maxDifference(read, numbers)).isZero();
    }
  }

  @Test
  void readsTensorsAtOddOffsets() throws IOException {
    Path path =
        write(
            "{\"flag\":"
                + facts("U8", "[1]", "[0,1]")
                + ",\"a\":"
                + facts("F32", "[2]", "[1,9]")
                + "}",
            9);
    try (Scope scope = Scope.open()) {
      Tensor a = SafetensorsFile.open(path).tensor("a");
      assertThat(a.add(1).toFloats()).containsExactly(1, 1);
    }
  }

  @Test
  void leavesNothingBehindWhereItCannotWrite() {
    Path nowhere = folder.resolve("none").resolve("a.safetensors");
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = Map.of("a", Tensor.zeros(DType.FLOAT32, 2));
      assertThatThrownBy(() -> SafetensorsWriter.write(nowhere, tensors, Map.of()))
          .isInstanceOf(EnvironmentException.class)
          .hasMessageContaining("Cannot write " + nowhere);
    }
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void namesWhatItHasWhenAskedForSomethingElse() throws IOException {
    SafetensorsFile read = SafetensorsFile.open(write(tensor("F32", "[1]", "[0,4]"), 4));
    assertThatThrownBy(() -> read.tensor("b"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no tensor 'b'")
        .hasMessageContaining("It has: a");
  }

  // Files that are no safetensors files

  @Test
  void refusesAMissingFile() {
    assertRefused(folder.resolve("none.safetensors"), "no such file");
  }

  @Test
  void refusesADirectory() {
    assertRefused(folder, "it is a folder");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7})
  void refusesFilesShorterThanTheLengthField(int bytes) throws IOException {
    assertRefused(Files.write(file(), new byte[bytes]), bytes + " bytes");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 3, 1 << 20, 1L << 31, Long.MAX_VALUE, -1, Long.MIN_VALUE})
  void refusesHeaderLengthsThatCannotBe(long claimed) throws IOException {
    assertRefused(
        write(claimed, "{}".getBytes(StandardCharsets.UTF_8), 0),
        "header claims " + Long.toUnsignedString(claimed));
  }

  @ParameterizedTest
  @CsvSource({
    "504b0304140000000800, a pickle of PyTorch",
    "80028a0a6cfc9c46f920, a pickle of PyTorch",
    "47475546030000000000, a GGUF file"
  })
  void namesWeightsInFormsThatAreNotRead(String start, String kind) throws IOException {
    Path other = Files.write(file(), HexFormat.of().parseHex(start));
    assertRefused(other, kind);
    assertRefused(other, "Use the safetensors file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "  ",
        "xx",
        "{\"a\":",
        "[]",
        "null",
        "37",
        "\"a\"",
        "{} {}",
        "{}x",
        "{\"a\":1,}",
        "{'a':1}"
      })
  void refusesHeadersThatAreNoJsonObject(String header) throws IOException {
    assertRefused(write(header, 8), "header is not");
  }

  @Test
  void refusesNestingWithoutEnd() throws IOException {
    assertRefused(write("{\"a\":" + "[".repeat(100_000), 0), "header is not valid JSON");
  }

  @Test
  void refusesInvalidUtf8() throws IOException {
    byte[] json = "{\"ab\":1}".getBytes(StandardCharsets.UTF_8);
    json[2] = (byte) 0xff;
    assertRefused(write(json.length, json, 0), "header is not valid JSON");
  }

  @Test
  void refusesATruncatedFile() throws IOException {
    Path path = write(tensor("F32", "[4]", "[0,16]"), 16);
    byte[] whole = Files.readAllBytes(path);
    for (int length = 0; length < whole.length; length++) {
      Files.write(path, Arrays.copyOf(whole, length));
      assertRefused(path, "");
    }
  }

  // Tensors that cannot be

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "3",
        "null",
        "{\"dtype\":\"F32\",\"shape\":[1]}",
        "{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,4]}",
        "{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}",
        "{\"dtype\":\"F32\",\"shape\":{\"n\":1},\"data_offsets\":[0,4]}",
        "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{\"from\":0,\"to\":4}}",
        "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}",
        "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}"
      })
  void refusesTensorsWithoutTheirFacts(String facts) throws IOException {
    assertRefused(write("{\"a\":" + facts + "}", 8), "lacks a dtype, shape or data_offsets");
  }

  @Test
  void refusesTwoTensorsOfOneName() throws IOException {
    String facts = facts("F32", "[1]", "[0,4]");
    assertRefused(write("{\"a\":" + facts + ",\"a\":" + facts + "}", 4), "uplicate");
  }

  @ParameterizedTest
  @ValueSource(strings = {"F8_E8M0", "f32", "", "F32 "})
  void refusesUnknownTypes(String dtype) throws IOException {
    assertRefused(write(tensor(dtype, "[1]", "[0,4]"), 4), "unknown dtype " + dtype);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[-1]",
        "[-1,-1]",
        "[1.5]",
        "[\"1\"]",
        "[null]",
        "[[1]]",
        "[9223372036854775807]",
        "[4294967296,4294967296]",
        "[9223372036854775807,0]",
        "[0,4294967296,4294967296]",
        "[9223372036854775808]",
        "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"
      })
  void refusesShapesThatCannotBe(String shape) throws IOException {
    assertRefused(write(tensor("F32", shape, "[0,4]"), 4), "has the shape [");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[0,12]", "[8,12]", "[4,0]", "[-4,0]", "[9223372036854775804,4]"})
  void refusesOffsetsOutsideOfTheData(String offsets) throws IOException {
    assertRefused(write(tensor("F32", "[1]", offsets), 8), "outside of the file's 8 bytes");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[0.5,4.5]", "[\"0\",\"4\"]", "[null,4]", "[0,9223372036854775808]"})
  void refusesOffsetsThatAreNoNumbers(String offsets) throws IOException {
    assertRefused(write(tensor("F32", "[1]", offsets), 8), "has the data_offsets [");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[0,0]", "[0,3]", "[0,5]", "[0,8]"})
  void refusesLengthsThatDoNotFitTheShape(String offsets) throws IOException {
    assertRefused(write(tensor("F32", "[1]", offsets), 8), "needs 4");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[0,8]", "[4,12]", "[1,9]"})
  void refusesOverlappingTensors(String offsets) throws IOException {
    String header =
        "{\"a\":" + facts("F32", "[2]", "[2,10]") + ",\"b\":" + facts("F32", "[2]", offsets) + "}";
    assertRefused(write(header, 12), "overlap");
  }

  @Test
  void quotesHostileNamesHarmlessly() throws IOException {
    String name = "a\\n\\u001b[2J" + "x".repeat(5000);
    Path path = write("{\"" + name + "\":{}}", 0);
    assertThatThrownBy(() -> SafetensorsFile.open(path))
        .isInstanceOf(BadInputException.class)
        .hasMessageNotContainingAny("\n", "\u001b")
        .satisfies(e -> assertThat(e.getMessage().length()).isLessThan(1000));
  }

  /** Any damage either leaves a file that loads, or one that is refused in one line. */
  @Test
  void survivesRandomDamage() throws IOException {
    try (Scope scope = Scope.open()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("blocks.0.weight", Tensor.full(1, DType.FLOAT32, 3, 4));
      tensors.put("blocks.0.bias", Tensor.full(2, DType.BFLOAT16, 4));
      tensors.put("steps", Tensor.full(3, DType.INT64, 2));
      SafetensorsWriter.write(file(), tensors, Map.of("format", "pt"));
    }
    byte[] sound = Files.readAllBytes(file());
    Random random = new Random(20261123);
    int loaded = 0;
    for (int i = 0; i < MUTATIONS; i++) {
      byte[] damaged = damage(sound, random);
      Files.write(file(), damaged);
      try (Scope scope = Scope.open()) {
        SafetensorsFile read = SafetensorsFile.open(file());
        for (String name : read.entries().keySet()) {
          read.tensor(name).toDoubles();
        }
        loaded++;
      } catch (BadInputException e) {
        assertThat(e.getMessage()).as("mutation " + i).doesNotContain("\n").hasSizeLessThan(1000);
      }
    }
    assertThat(loaded).isBetween(MUTATIONS / 50, MUTATIONS / 2);
  }

  private static byte[] damage(byte[] sound, Random random) {
    byte[] bytes = sound.clone();
    int header = 8 + (int) ByteBuffer.wrap(sound).order(ByteOrder.LITTLE_ENDIAN).getLong();
    int edits = 1 + random.nextInt(3);
    for (int edit = 0; edit < edits; edit++) {
      // Mostly the length and the header, where it hurts.
      int at =
          random.nextInt(random.nextInt(8) == 0 ? bytes.length : Math.min(header, bytes.length));
      switch (random.nextInt(5)) {
        case 0 -> bytes[at] = (byte) random.nextInt(256);
        case 1 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> bytes[at] = (byte) "0123456789[]{},:\"-.e\\ \n".charAt(random.nextInt(23));
        case 3 -> bytes = Arrays.copyOf(bytes, Math.max(1, at));
        default -> {
          int from = random.nextInt(bytes.length);
          int length = Math.min(1 + random.nextInt(8), bytes.length - Math.max(at, from));
          System.arraycopy(bytes.clone(), from, bytes, at, Math.max(0, length));
        }
      }
    }
    return bytes;
  }
}
