package dev.gossamer.cli;

import dev.gossamer.bench.shapes.RandomCheckpoint;
import dev.gossamer.bench.shapes.ReleasedShape;
import dev.gossamer.tensor.DType;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer models random}: a checkpoint of a released shape with random weights. */
@Command(
    name = "random",
    description = {
      "Write a folder like that of a released model, with random weights.",
      "Its videos show noise; its time and memory are those of the real one."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class RandomModelCommand implements Callable<Integer> {
  /** The shapes, for the help. */
  static final class Shapes implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Stream.of(ReleasedShape.values()).map(ReleasedShape::option).iterator();
    }
  }

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(
      paramLabel = "SHAPE",
      completionCandidates = Shapes.class,
      description = "One of ${COMPLETION-CANDIDATES}.")
  private String shape;

  @Parameters(paramLabel = "DIR", description = "The folder to make; absent or empty.")
  private Path folder;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Type of the weights, fp32, bf16 or fp16 (default: ${DEFAULT-VALUE}).")
  private String dtype = DType.BFLOAT16.optionName();

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of the weights (default: ${DEFAULT-VALUE}).")
  private long seed = 0;

  @Mixin private CommonArguments common;

  RandomModelCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    RandomCheckpoint checkpoint =
        new RandomCheckpoint(ReleasedShape.of(shape), DType.ofOption(dtype), seed);
    long bytes = checkpoint.write(folder, BenchArguments.progress(terminal, interrupted));
    terminal.err().println(bytes / 1_000_000 + " MB of random weights");
    terminal.out().println(folder);
    return 0;
  }
}
