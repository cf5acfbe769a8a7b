package dev.gossamer.lm;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.distributed.RankGrid;
import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.Texts;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.settings.SettingsFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** An untrained model of single bytes whose choices are clear, with its tokenizer, for tests. */
public record ByteModel(LanguageModel model, TextTokenizer tokenizer, Threads threads)
    implements AutoCloseable {
  private static final String MODEL =
      """
      {"structure": "bigmac", "vocabulary": 257, "hidden": 16, "layers": 2, "context": %d,
       "heads": 2, "tied": false, "experts": {"count": 8, "topK": 2, "inner": 16, "latent": 4}}
      """;

  /**
   * @param folder where its tokens may be written
   */
  public static ByteModel open(Path folder, int context) {
    return open(folder, context, RankGrid.flat(LocalRanks.alone()));
  }

  /** Likewise the same on each of several ranks, which divide its experts. */
  public static ByteModel open(Path folder, int context, RankGrid grid) {
    try {
      ObjectNode tree = (ObjectNode) new ObjectMapper().readTree(MODEL.formatted(context));
      ModelSettings settings = ModelDocument.read(SettingsFile.of("test", tree));
      Threads threads = new Threads(1);
      LanguageModel model = new LanguageModel(settings, 3, DType.FLOAT32, grid, threads);
      for (Parameter parameter : model.parameters()) {
        if (parameter.name().equals("embedding") || parameter.name().equals("head")) {
          parameter.value().mulInPlace(30);
        }
      }
      return new ByteModel(
          model,
          TextTokenizer.open(Texts.tokens(Files.createTempDirectory(folder, "bytes"), 257)),
          threads);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    model.close();
    tokenizer.close();
    threads.close();
  }
}
