package dev.gossamer.tensor;

import dev.gossamer.tensor.failure.UsageException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a tensor lives.
 *
 * @param kind processor or NVIDIA card
 * @param index number of the card, 0 for the processor
 */
public record Device(Kind kind, int index) {
  public enum Kind {
    CPU,
    CUDA
  }

  public static final Device CPU = new Device(Kind.CPU, 0);

  private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,3}))?");

  /**
   * @param name {@code cpu}, {@code cuda} or {@code cuda:N}
   * @throws UsageException for any other name
   */
  public static Device of(String name) {
    if (name.equals("cpu")) {
      return CPU;
    }
    Matcher matcher = CUDA.matcher(name);
    if (!matcher.matches()) {
      throw new UsageException("Unknown device '" + name + "'", "Use cpu, cuda or cuda:N");
    }
    return new Device(Kind.CUDA, matcher.group(1) == null ? 0 : Integer.parseInt(matcher.group(1)));
  }

  public boolean isCpu() {
    return kind == Kind.CPU;
  }

  @Override
  public String toString() {
    return kind == Kind.CPU ? "cpu" : "cuda:" + index;
  }
}
