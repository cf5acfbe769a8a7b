package dev.gossamer.bench;

import java.util.concurrent.Callable;

/**
 * One subcommand of {@code gossamer bench}. An implementation carries picocli's {@code @Command}
 * with its name and options, takes its streams from the injected {@code CommandSpec}'s command
 * line, returns the exit code, and is named in {@code
 * META-INF/services/dev.gossamer.bench.Benchmark}.
 */
public interface Benchmark extends Callable<Integer> {}
