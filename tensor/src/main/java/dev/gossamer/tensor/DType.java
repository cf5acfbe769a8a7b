package dev.gossamer.tensor;

import dev.gossamer.tensor.failure.UsageException;
import java.util.Locale;

/** Element types of a {@link Tensor}. */
public enum DType {
  UINT8(0, 1, "U8"),
  INT8(1, 1, "I8"),
  INT16(2, 2, "I16"),
  INT32(3, 4, "I32"),
  INT64(4, 8, "I64"),
  FLOAT16(5, 2, "F16"),
  FLOAT32(6, 4, "F32"),
  FLOAT64(7, 8, "F64"),
  BOOL(11, 1, "BOOL"),
  BFLOAT16(15, 2, "BF16"),
  /** Only for weights on disk: libtorch converts it, and computes nothing in it. */
  FLOAT8_E5M2(23, 1, "F8_E5M2"),
  /** Only for weights on disk: libtorch converts it, and computes nothing in it. */
  FLOAT8_E4M3(24, 1, "F8_E4M3");

  private final int torchCode;
  private final int bytes;
  private final String safetensorsName;

  DType(int torchCode, int bytes, String safetensorsName) {
    this.torchCode = torchCode;
    this.bytes = bytes;
    this.safetensorsName = safetensorsName;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** The name in a safetensors header, for example {@code BF16}. */
  public String safetensorsName() {
    return safetensorsName;
  }

  public boolean isFloating() {
    return this == FLOAT16 || this == FLOAT32 || this == FLOAT64 || this == BFLOAT16 || isFloat8();
  }

  /** Whether it is one of the types of 8 bits that are only stored. */
  public boolean isFloat8() {
    return this == FLOAT8_E4M3 || this == FLOAT8_E5M2;
  }

  /** The number that libtorch gives this type ({@code c10::ScalarType}). */
  int torchCode() {
    return torchCode;
  }

  static DType ofTorchCode(int code) {
    for (DType type : values()) {
      if (type.torchCode == code) {
        return type;
      }
    }
    throw new IllegalArgumentException("libtorch element type " + code + " is not one of ours");
  }

  /**
   * The compute type that a person names on the command line.
   *
   * @param name {@code fp32}, {@code bf16} or {@code fp16}
   * @throws UsageException for any other name
   */
  public static DType ofOption(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "fp32" -> FLOAT32;
      case "bf16" -> BFLOAT16;
      case "fp16" -> FLOAT16;
      default -> throw new UsageException("Unknown dtype '" + name + "'", "Use fp32, bf16 or fp16");
    };
  }

  /** The command line's name of a compute type: {@code fp32}, {@code bf16} or {@code fp16}. */
  public String optionName() {
    return switch (this) {
      case FLOAT32 -> "fp32";
      case BFLOAT16 -> "bf16";
      case FLOAT16 -> "fp16";
      default -> name().toLowerCase(Locale.ROOT);
    };
  }
}
