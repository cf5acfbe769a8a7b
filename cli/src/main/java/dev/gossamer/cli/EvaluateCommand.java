package dev.gossamer.cli;

import dev.gossamer.distributed.local.LocalRanks;
import dev.gossamer.lm.checkpoint.SavedModel;
import dev.gossamer.lm.data.Corpus.Split;
import dev.gossamer.lm.data.DocumentReader;
import dev.gossamer.lm.data.TokenFile;
import dev.gossamer.lm.train.Evaluation;
import dev.gossamer.lm.train.Evaluator;
import dev.gossamer.lm.train.TextEvaluation;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFile;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code gossamer evaluate}: how well a model predicts a text. */
@Command(
    name = "evaluate",
    description = {
      "Measure a language model on text.",
      "Perplexity of a token and bits per byte, in windows that do not overlap."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class EvaluateCommand implements Callable<Integer> {
  private final Terminal terminal;

  @Mixin private LanguageModelArguments model;

  @Option(
      names = "--text",
      paramLabel = "FILE",
      description = "Text as it stands in the file (.xz and .gz are unpacked).")
  private Path text;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Or a folder of tokens of the same tokenizer.")
  private Path data;

  @Option(
      names = "--split",
      paramLabel = "NAME",
      description = "Of --data: train, validation or test (default: ${DEFAULT-VALUE}).")
  private String split = "validation";

  @Option(
      names = "--length",
      paramLabel = "N",
      description = "Tokens of a window (default: the model's context).")
  private Integer length;

  @Option(
      names = "--windows",
      paramLabel = "N",
      description = "Of --data, so many windows (default: all).")
  private int windows;

  @Option(
      names = "--save-logits",
      paramLabel = "FILE",
      description = "Of --text: safetensors, tensor logits, float32, tokens x vocabulary.")
  private Path saveLogits;

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  EvaluateCommand(Terminal terminal) {
    this.terminal = terminal;
  }

  @Override
  public Integer call() {
    if ((text == null) == (data == null)) {
      throw new UsageException(
          text == null ? "Neither --text nor --data" : "Both --text and --data",
          "Name one of them");
    }
    if (saveLogits != null && text == null) {
      throw new UsageException("--save-logits is for --text", "Name a text");
    }
    Optional<PartFile> logits = Optional.ofNullable(saveLogits).map(PartFile::new);
    try (Threads pool = model.pool(LocalRanks.alone());
        SavedModel opened = model.open(pool, terminal)) {
      int most = opened.model().settings().context();
      int window = length == null ? most : length;
      if (window < 1 || window > most) {
        throw new UsageException(
            "Windows of " + window + " tokens in a context of " + most, "Use 1 to " + most);
      }
      print(opened, text != null ? ofText(opened, window, logits) : ofTokens(opened, window));
    }
    return 0;
  }

  private Evaluation ofText(SavedModel opened, int window, Optional<PartFile> logits) {
    int[] ids = opened.tokenizer().encode(DocumentReader.whole(text));
    return new TextEvaluation(ids, window)
        .of(opened.model(), opened.tokenizer(), logits.map(PartFile::target));
  }

  private Evaluation ofTokens(SavedModel opened, int window) {
    TokenFile file = TokenFile.open(Choice.of(Split.class, "split", split).in(data));
    if (!file.index().tokenizer().equals(opened.tokenizer().fingerprint())) {
      throw new BadInputException(
          "The tokens in " + data + " are of another tokenizer than the model's",
          "Tokenize with --tokenizer " + model.folder());
    }
    return new Evaluator(file, opened.tokenizer(), window, windows)
        .evaluate(opened.model(), LocalRanks.alone(), 0);
  }

  private void print(SavedModel opened, Evaluation evaluation) {
    if (json) {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("model", opened.source().toString());
      document.put("tokens", evaluation.tokens());
      document.put("bytes", evaluation.bytes());
      document.put("loss", evaluation.loss());
      document.put("perplexity", evaluation.perplexity());
      document.put("bitsPerByte", evaluation.bitsPerByte());
      Json.print(terminal.out(), document);
      return;
    }
    terminal
        .out()
        .println(
            String.format(
                Locale.ROOT,
                "loss %.4f nats a token  perplexity %.3f  bits per byte %.4f  (%,d tokens, %,d bytes)",
                evaluation.loss(),
                evaluation.perplexity(),
                evaluation.bitsPerByte(),
                evaluation.tokens(),
                evaluation.bytes()));
  }
}
