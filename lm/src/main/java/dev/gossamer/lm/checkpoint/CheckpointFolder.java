package dev.gossamer.lm.checkpoint;

import dev.gossamer.distributed.Communicator;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.files.PartFile;
import dev.gossamer.tensor.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of a run, {@code step-00000100} and so on. One is made under another name and
 * renamed when every file of it is on the disk, so that whatever has such a name was finished; what
 * was damaged since is found by its checksums, and the one before it used. {@code latest} names the
 * last, {@code best} the one with the lowest bits per byte.
 *
 * <p>All ranks see the same folder.
 */
public final class CheckpointFolder {
  private static final Pattern NAME = Pattern.compile("step-(\\d{8,})");
  private static final String UNFINISHED = ".tmp";
  private static final String DAMAGED = ".damaged";

  private final Path folder;
  private final Communicator world;

  public CheckpointFolder(Path folder, Communicator world) {
    this.folder = folder;
    this.world = world;
  }

  /** Where the checkpoint of a step is or will be. */
  public Path of(long step) {
    return in(folder, step);
  }

  /** Steps of finished checkpoints, the earliest first. */
  public List<Long> steps() {
    return steps(folder);
  }

  /** Finished checkpoints in a folder of them, the earliest first. */
  public static List<Path> all(Path folder) {
    return steps(folder).stream().map(step -> in(folder, step)).toList();
  }

  private static Path in(Path folder, long step) {
    return folder.resolve(String.format("step-%08d", step));
  }

  private static List<Long> steps(Path folder) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .map(entry -> NAME.matcher(entry.getFileName().toString()))
          .filter(Matcher::matches)
          .map(matcher -> Long.parseLong(matcher.group(1)))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot read " + folder + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
  }

  /**
   * The last checkpoint that is sound.
   *
   * @param tell is told of each that is not, and why
   */
  public static Optional<Checkpoint> lastSound(Path folder, Consumer<String> tell) {
    List<Long> steps = new ArrayList<>(steps(folder));
    steps.sort(Comparator.reverseOrder());
    for (long step : steps) {
      try {
        Checkpoint checkpoint = Checkpoint.open(in(folder, step));
        checkpoint.verify();
        return Optional.of(checkpoint);
      } catch (GossamerException e) {
        tell.accept(
            "The checkpoint of step " + step + " is damaged and left out: " + e.getMessage());
      }
    }
    return Optional.empty();
  }

  /**
   * What a run goes on from, the same on every rank: rank 0 looks, all open what it found. Later
   * ones, which are damaged, are renamed: they neither count nor are they lost.
   *
   * @param tell on rank 0
   */
  public Optional<Checkpoint> goOn(Consumer<String> tell) {
    String found = "";
    String failure = "";
    if (world.rank() == 0) {
      try {
        Optional<Checkpoint> last = lastSound(folder, tell);
        last.ifPresent(checkpoint -> renameAfter(checkpoint.manifest().step()));
        found = last.map(c -> c.folder().getFileName().toString()).orElse("");
      } catch (GossamerException e) {
        failure = e.getMessage();
      }
    }
    failAll(failure);
    String name = RankTexts.gather(world, found).get(0);
    return name.isEmpty() ? Optional.empty() : Optional.of(Checkpoint.open(folder.resolve(name)));
  }

  private void renameAfter(long step) {
    for (long later : steps()) {
      if (later > step) {
        Path damaged = folder.resolve(of(later).getFileName() + DAMAGED);
        if (Files.exists(damaged)) {
          remove(damaged);
        }
        rename(of(later), damaged);
      }
    }
  }

  /** Makes all ranks stop where one of them failed, instead of waiting for it. */
  private void failAll(String failure) {
    List<String> failures = RankTexts.gather(world, failure);
    for (int rank = 0; rank < failures.size(); rank++) {
      if (!failures.get(rank).isEmpty()) {
        throw new EnvironmentException(
            (world.size() == 1 ? "" : "On rank " + rank + ": ") + failures.get(rank), "");
      }
    }
  }

  private void onRankZero(Runnable work) {
    String failure = "";
    if (world.rank() == 0) {
      try {
        work.run();
      } catch (GossamerException e) {
        failure = e.getMessage();
      }
    }
    failAll(failure);
  }

  /**
   * Saves. Every rank calls it.
   *
   * @param manifest without files
   * @param state of this rank
   * @param writes whether this rank's experts are to be written by it: one of each set of replicas
   * @param tokenizer the content of {@code tokenizer.json}
   * @param keep how many of the latest stay, beside the best
   * @throws EnvironmentException on every rank, if one cannot write; older checkpoints are as
   *     before
   */
  public void save(
      Manifest manifest, TrainingState state, boolean writes, byte[] tokenizer, int keep) {
    Path unfinished = folder.resolve(of(manifest.step()).getFileName() + UNFINISHED);
    onRankZero(
        () -> {
          removeUnfinished();
          create(unfinished);
          PartFile.write(unfinished.resolve(Checkpoint.TOKENIZER), tokenizer);
        });
    List<StoredFile> own = new ArrayList<>();
    String failure = "";
    try {
      own.addAll(write(unfinished, manifest.step(), state, writes));
    } catch (GossamerException e) {
      failure = e.getMessage();
    }
    failAll(failure);
    List<StoredFile> files = gathered(own);
    onRankZero(
        () -> {
          files.add(StoredFile.of(unfinished.resolve(Checkpoint.TOKENIZER)));
          finish(unfinished, manifest.withFiles(files));
          prune(manifest, keep);
        });
  }

  private static void create(Path path) {
    try {
      Files.createDirectories(path);
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot make " + path + ": " + PartFile.reason(e), "Is the folder writable?", e);
    }
  }

  private List<StoredFile> write(Path to, long step, TrainingState state, boolean writes) {
    List<StoredFile> files = new ArrayList<>();
    IntFunction<Tensor> values = i -> state.weights().get(i).value();
    try (Scope scope = Scope.open()) {
      if (world.rank() == 0) {
        files.add(
            file(
                to,
                step,
                Checkpoint.WEIGHTS + "-dense",
                NamedTensors.shared(state.weights(), values, "")));
        Map<String, Tensor> optimizer =
            NamedTensors.shared(state.weights(), state.means()::get, Checkpoint.MEAN);
        optimizer.putAll(
            NamedTensors.shared(state.weights(), state.squares()::get, Checkpoint.SQUARE));
        files.add(file(to, step, Checkpoint.OPTIMIZER + "-dense", optimizer));
      }
      if (writes && state.experts() > 0) {
        int first = state.firstExpert();
        String range = String.format("-experts-%05d-%05d", first, first + state.experts() - 1);
        files.add(
            file(
                to,
                step,
                Checkpoint.WEIGHTS + range,
                NamedTensors.experts(state.weights(), values, first, "")));
        Map<String, Tensor> optimizer =
            NamedTensors.experts(state.weights(), state.means()::get, first, Checkpoint.MEAN);
        optimizer.putAll(
            NamedTensors.experts(state.weights(), state.squares()::get, first, Checkpoint.SQUARE));
        files.add(file(to, step, Checkpoint.OPTIMIZER + range, optimizer));
      }
    }
    return files;
  }

  static StoredFile file(Path to, long step, String name, Map<String, Tensor> tensors) {
    Path path = to.resolve(name + ".safetensors");
    Map<String, String> notes = new LinkedHashMap<>(); // in one order: files are compared by sums
    notes.put("format", "pt");
    notes.put(Checkpoint.STEP, String.valueOf(step));
    SafetensorsWriter.write(path, tensors, notes);
    return StoredFile.of(path);
  }

  private List<StoredFile> gathered(List<StoredFile> own) {
    StringBuilder lines = new StringBuilder();
    own.forEach(f -> lines.append(f.name() + " " + f.bytes() + " " + f.sha256() + "\n"));
    List<StoredFile> all = new ArrayList<>();
    for (String text : RankTexts.gather(world, lines.toString())) {
      text.lines()
          .map(line -> line.split(" "))
          .forEach(f -> all.add(new StoredFile(f[0], Long.parseLong(f[1]), f[2])));
    }
    return all;
  }

  /** Writes the manifest and gives the folder its name. */
  private void finish(Path unfinished, Manifest manifest) {
    manifest.write(unfinished);
    force(unfinished);
    rename(unfinished, of(manifest.step()));
    force(folder);
    name("latest", manifest.step());
    if (manifest.bestStep() == manifest.step()) {
      name("best", manifest.step());
    }
  }

  private void name(String what, long step) {
    byte[] name = (of(step).getFileName() + "\n").getBytes(StandardCharsets.UTF_8);
    PartFile.write(folder.resolve(what), name);
  }

  /** Lets the disk have what a folder lists; where that cannot be asked for, the system decides. */
  private static void force(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      return; // no folder can be opened so on Windows
    }
  }

  private void prune(Manifest manifest, int keep) {
    List<Long> steps = steps();
    Set<Long> kept = new TreeSet<>(steps.subList(Math.max(0, steps.size() - keep), steps.size()));
    kept.add(manifest.step());
    kept.add(manifest.bestStep());
    steps.stream().filter(step -> !kept.contains(step)).forEach(step -> putAway(of(step)));
    removeUnfinished();
  }

  /** Removes what a killed run left. */
  private void removeUnfinished() {
    if (!Files.isDirectory(folder)) {
      return;
    }
    try (Stream<Path> entries = Files.list(folder)) {
      entries
          .filter(entry -> entry.getFileName().toString().endsWith(UNFINISHED))
          .toList()
          .forEach(CheckpointFolder::remove);
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot read " + folder + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
  }

  /** Takes a checkpoint's name away first, so that a half removed one is none. */
  private static void putAway(Path checkpoint) {
    Path nameless = checkpoint.resolveSibling(checkpoint.getFileName() + ".old" + UNFINISHED);
    rename(checkpoint, nameless);
    remove(nameless);
  }

  private static void rename(Path from, Path to) {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot rename " + from + ": " + PartFile.reason(e), "Is the folder writable?", e);
    }
  }

  private static void remove(Path checkpoint) {
    try {
      try (Stream<Path> paths = Files.walk(checkpoint)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      }
    } catch (IOException e) {
      throw new EnvironmentException(
          "Cannot remove " + checkpoint + ": " + PartFile.reason(e), "Remove it by hand", e);
    }
  }
}
