package dev.gossamer.cli;

import dev.gossamer.lm.data.Corpus;
import dev.gossamer.lm.data.Corpus.Split;
import dev.gossamer.lm.data.DocumentReader;
import dev.gossamer.lm.data.TextTokenizer;
import dev.gossamer.lm.data.TokenIndex;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.files.PartFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code gossamer tokenize}: text to token files. */
@Command(
    name = "tokenize",
    description = {
      "Turn text into token files to train with.",
      "Reads text (documents divided by lines with a form feed alone) and lines of JSON (.jsonl),"
          + " packed (.xz, .gz) or not. Writes train.bin, validation.bin and test.bin with their"
          + " indexes, and tokenizer.json, into a new folder."
    },
    abbreviateSynopsis = true,
    sortOptions = false)
final class TokenizeCommand implements Callable<Integer> {
  private static final int BYTES = 257;
  private static final int USUAL = 4096;

  private final Terminal terminal;
  private final BooleanSupplier interrupted;

  @Parameters(
      arity = "0..*",
      paramLabel = "FILE",
      description = "Text whose documents are divided among training, validation and test.")
  private List<Path> inputs = new ArrayList<>();

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "The folder to make; absent or empty.")
  private Path out;

  @Option(
      names = "--tokenizer",
      paramLabel = "bytes|bpe|FILE",
      description =
          "bytes: every byte is a token; bpe: byte pairs learnt from the training documents; else a"
              + " tokenizer.json or a model's folder (default: ${DEFAULT-VALUE}).")
  private String tokenizer = "bpe";

  @Option(
      names = "--vocabulary",
      paramLabel = "N",
      description = "Tokens of a bpe, the end of a document among them (default: 4096).")
  private Integer vocabulary;

  @Option(
      names = "--end-token",
      paramLabel = "TOKEN",
      description = "What stands behind every document (default: the tokenizer's end of text).")
  private String endToken;

  @Option(
      names = "--split",
      paramLabel = "A,B,C",
      split = ",",
      description =
          "Shares of training, validation and test of the documents of FILE, chosen by a hash of"
              + " their text (default: 98,1,1).")
  private List<Double> shares = List.of(98.0, 1.0, 1.0);

  @Option(
      names = "--train",
      paramLabel = "FILE",
      split = ",",
      description = "Text that is all for training.")
  private List<Path> train = List.of();

  @Option(
      names = "--validation",
      paramLabel = "FILE",
      split = ",",
      description = "Text that is all for validation.")
  private List<Path> validation = List.of();

  @Option(names = "--test", paramLabel = "FILE", split = ",", description = "Text for tests.")
  private List<Path> test = List.of();

  @Option(
      names = "--field",
      paramLabel = "KEY",
      description = "Key of the text in lines of JSON (default: ${DEFAULT-VALUE}).")
  private String field = "text";

  @Option(names = "--json", description = "Print one JSON document to stdout.")
  private boolean json;

  @Mixin private CommonArguments common;

  TokenizeCommand(Terminal terminal, BooleanSupplier interrupted) {
    this.terminal = terminal;
    this.interrupted = interrupted;
  }

  @Override
  public Integer call() {
    PartFolder.requireEmpty(out);
    Map<Split, List<Path>> given = new EnumMap<>(Split.class);
    given.put(Split.TRAIN, train);
    given.put(Split.VALIDATION, validation);
    given.put(Split.TEST, test);
    double[] parts = shares.stream().mapToDouble(Double::doubleValue).toArray();
    Corpus corpus = new Corpus(inputs, given, parts, new DocumentReader(field));
    try (TextTokenizer made = tokenizer(corpus)) {
      Map<Split, TokenIndex> written = corpus.write(out, made, end(made), interrupted);
      print(written);
      if (wanted() > made.vocabulary()) {
        terminal.err().println("The text has pairs for " + made.vocabulary() + " tokens only");
      }
    }
    return 0;
  }

  private TextTokenizer tokenizer(Corpus corpus) {
    boolean bytes = tokenizer.equals("bytes");
    if (!bytes && !tokenizer.equals("bpe")) {
      if (vocabulary != null) {
        throw new UsageException(
            "--vocabulary " + vocabulary + " is given for a tokenizer that is there", "Drop one");
      }
      return TextTokenizer.open(Path.of(tokenizer));
    }
    if (bytes && vocabulary != null && vocabulary != BYTES) {
      throw new UsageException(
          "--vocabulary " + vocabulary + " is given for single bytes", "Use --tokenizer bpe");
    }
    byte[] learnt = corpus.learnTokenizer(wanted(), interrupted);
    return TextTokenizer.of(out.resolve("tokenizer.json"), learnt);
  }

  /** Tokens of a tokenizer that is learnt; 0 of one that is there. */
  private int wanted() {
    return switch (tokenizer) {
      case "bytes" -> BYTES;
      case "bpe" -> vocabulary == null ? USUAL : vocabulary;
      default -> 0;
    };
  }

  private int end(TextTokenizer made) {
    OptionalInt end = endToken == null ? made.end() : made.token(endToken);
    return end.orElseThrow(
        () ->
            new UsageException(
                endToken == null
                    ? "The tokenizer does not say which token ends a document"
                    : "The tokenizer has no token '" + endToken + "'",
                "Name one by --end-token"));
  }

  private void print(Map<Split, TokenIndex> written) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("folder", out.toString());
    written.forEach(
        (split, index) -> {
          document.put(split.stem(), index);
          terminal
              .err()
              .println(
                  String.format(
                      Locale.ROOT,
                      "%-10s  %,d documents, %,d bytes, %,d tokens, %.2f bytes a token",
                      split.stem(),
                      index.documents(),
                      index.textBytes(),
                      index.tokens(),
                      (double) index.textBytes() / index.tokens()));
        });
    if (!Files.exists(Split.VALIDATION.in(out))) {
      terminal.err().println("No document is for validation; see --split and --validation");
    }
    if (json) {
      Json.print(terminal.out(), document);
    } else {
      terminal.out().println(out);
    }
  }
}
