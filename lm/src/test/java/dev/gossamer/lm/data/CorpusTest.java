package dev.gossamer.lm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.lm.data.Corpus.Split;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

class CorpusTest {
  private static final DocumentReader READER = new DocumentReader("text");
  private static final double[] ALL_TRAIN = {1, 0, 0};
  private static TextTokenizer bytes;

  @TempDir private Path folder;

  @BeforeAll
  static void learn() {
    bytes = TextTokenizer.of(Path.of("tokenizer.json"), new BytePairs().learn(257));
  }

  private static List<String> documents(Path file) {
    List<String> documents = new ArrayList<>();
    READER.read(file, documents::add);
    return documents;
  }

  @Test
  void packedOrNotTheDocumentsAreTheSame() throws IOException {
    byte[] text = Texts.text().getBytes(StandardCharsets.UTF_8);
    Path xz = folder.resolve("text.txt.xz");
    try (OutputStream out = new XZOutputStream(Files.newOutputStream(xz), new LZMA2Options(3))) {
      out.write(text);
    }
    Path gz = folder.resolve("text.txt.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(gz))) {
      out.write(text);
    }
    List<String> documents = documents(Texts.excerpt());
    assertThat(documents).hasSize(4);
    assertThat(documents(xz)).isEqualTo(documents);
    assertThat(documents(gz)).isEqualTo(documents);
    Path half = folder.resolve("half.txt.xz");
    byte[] packed = Files.readAllBytes(xz);
    Files.write(half, Arrays.copyOf(packed, packed.length / 2));
    assertThatThrownBy(() -> documents(half))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("half.txt.xz");
  }

  @Test
  void linesOfJsonAreDocuments() throws IOException {
    Path lines = folder.resolve("a.jsonl");
    Files.writeString(
        lines, "{\"text\": \"one\\ntwo\", \"id\": 1}\n\n{\"text\": \"three\"}\n{\"text\": \"\"}\n");
    assertThat(documents(lines)).containsExactly("one\ntwo", "three");
    Files.writeString(lines, "{\"text\": \"one\"}\n{\"body\": \"two\"}\n");
    assertThatThrownBy(() -> documents(lines))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("line 2")
        .hasMessageContaining("'text'");
    Files.writeString(lines, "{\"text\": \"one\"}\n{\"text\"\n");
    assertThatThrownBy(() -> documents(lines)).hasMessageContaining("line 2 is not valid JSON");
  }

  @Test
  void whatIsNoTextIsRefused() throws IOException {
    Path file = folder.resolve("a.txt");
    Files.write(file, new byte[] {'a', (byte) 0xff, 'b'});
    assertThatThrownBy(() -> documents(file)).hasMessageContaining("not UTF-8");
    assertThatThrownBy(() -> documents(folder.resolve("none.txt")))
        .hasMessageContaining("no such file");
  }

  @Test
  void documentsComeBackFromTheirTokens() {
    Corpus corpus = new Corpus(List.of(Texts.excerpt()), Map.of(), ALL_TRAIN, READER);
    Path out = folder.resolve("tokens");
    TokenIndex index = corpus.write(out, bytes, 256, () -> false).get(Split.TRAIN);
    TokenFile file = TokenFile.open(Split.TRAIN.in(out));
    assertThat(file.index()).isEqualTo(index);
    List<String> documents = documents(Texts.excerpt());
    assertThat(index.documents()).isEqualTo(4);
    assertThat(index.textBytes()).isEqualTo(index.tokens() - 4);
    for (int i = 0; i < 4; i++) {
      long from = file.documentStart(i);
      long to = i < 3 ? file.documentStart(i + 1) : index.tokens();
      int[] ids = new int[(int) (to - from)];
      file.read(from, ids, 0, ids.length);
      assertThat(ids[ids.length - 1]).isEqualTo(256);
      assertThat(bytes.decode(Arrays.copyOf(ids, ids.length - 1))).isEqualTo(documents.get(i));
    }
  }

  @Test
  void splitsAreOfDocumentsAndAlwaysTheSame() throws IOException {
    Path lines = folder.resolve("many.jsonl");
    StringBuilder all = new StringBuilder();
    for (int i = 0; i < 1000; i++) {
      all.append("{\"text\": \"document ").append(i).append("\"}\n");
    }
    Files.writeString(lines, all);
    Corpus corpus = new Corpus(List.of(lines), Map.of(), new double[] {80, 10, 10}, READER);
    Map<Split, TokenIndex> first = corpus.write(folder.resolve("a"), bytes, 256, () -> false);
    Map<Split, TokenIndex> again = corpus.write(folder.resolve("b"), bytes, 256, () -> false);
    assertThat(again).isEqualTo(first);
    assertThat(first.values().stream().mapToLong(TokenIndex::documents).sum()).isEqualTo(1000);
    assertThat(first.get(Split.TRAIN).documents()).isBetween(750L, 850L);
    assertThat(first.get(Split.TEST).documents()).isBetween(60L, 140L);
  }

  @Test
  void aStoppedRunLeavesNothing() throws IOException {
    Corpus corpus = new Corpus(List.of(Texts.excerpt()), Map.of(), ALL_TRAIN, READER);
    int[] asked = new int[1];
    assertThatThrownBy(() -> corpus.write(folder.resolve("t"), bytes, 256, () -> asked[0]++ > 1))
        .isInstanceOf(InterruptedRunException.class);
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void sharesAndTextAreNeeded() {
    assertThatThrownBy(() -> new Corpus(List.of(), Map.of(), new double[] {0, 1, 0}, READER))
        .isInstanceOf(UsageException.class);
    Corpus none = new Corpus(List.of(), Map.of(), ALL_TRAIN, READER);
    assertThatThrownBy(() -> none.write(folder.resolve("t"), bytes, 256, () -> false))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("no document to train with");
  }

  @Test
  void filesThatDoNotFitTogetherAreRefused() throws IOException {
    Path out = Texts.tokens(folder, 257);
    Path bin = out.resolve("train.bin");
    byte[] sound = Files.readAllBytes(bin);
    Files.write(bin, Arrays.copyOf(sound, sound.length - 2));
    assertThatThrownBy(() -> TokenFile.open(bin))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("train.bin")
        .hasMessageContaining("its index says");
    Files.write(bin, sound);
    Path documents = out.resolve("train.documents");
    byte[] starts = Files.readAllBytes(documents);
    byte[] bad = starts.clone();
    bad[8 + 7] = 1;
    Files.write(documents, bad);
    assertThatThrownBy(() -> TokenFile.open(bin)).hasMessageContaining("document 1 begins at");
    Files.write(documents, starts);
    Path index = out.resolve("train.idx");
    String text = Files.readString(index);
    Files.writeString(index, text.replace("\"u16\"", "\"u32\""));
    assertThatThrownBy(() -> TokenFile.open(bin)).hasMessageContaining("'u32'");
    Files.writeString(index, text.replace("\"version\" : 1", "\"version\" : 2"));
    assertThatThrownBy(() -> TokenFile.open(bin)).hasMessageContaining("version 2");
    Files.writeString(index, text.replace("\"tokens\"", "\"tokenz\""));
    assertThatThrownBy(() -> TokenFile.open(bin)).isInstanceOf(BadInputException.class);
    Files.delete(index);
    assertThatThrownBy(() -> TokenFile.open(bin))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("train.idx")
        .hasMessageContaining("gossamer tokenize");
  }

  @Test
  void largeVocabulariesTakeFourBytes() {
    TokenIndex index = new TokenIndex(70_000, 1, 2, 1, 5, "");
    assertThat(index.tokenBytes()).isEqualTo(4);
    Path path = folder.resolve("x.idx");
    index.write(path);
    assertThat(TokenIndex.read(path)).isEqualTo(index);
  }

  @Test
  void everyPassReadsEveryWindowOnceInAnotherOrder() throws IOException {
    TokenFile file = TokenFile.open(Texts.tokens(folder, 257).resolve("train.bin"));
    Samples samples = new Samples(file, 100, 7);
    long windows = samples.windows();
    assertThat(windows).isEqualTo((file.index().tokens() - 1) / 100);
    List<List<Long>> passes = new ArrayList<>();
    for (int epoch = 0; epoch < 3; epoch++) {
      List<Long> places = new ArrayList<>();
      for (long i = 0; i < windows; i++) {
        places.add(samples.place(i, epoch));
      }
      assertThat(new TreeSet<>(places)).hasSize((int) windows);
      assertThat(new TreeSet<>(places).last()).isEqualTo(windows - 1);
      passes.add(places);
    }
    assertThat(passes.get(0)).isNotEqualTo(passes.get(1)).isNotEqualTo(passes.get(2));
    int[] ids = new int[100];
    int[] targets = new int[100];
    int[] all = new int[101];
    samples.read(windows + 3, ids, targets, 0);
    file.read(passes.get(1).get(3) * 100, all, 0, 101);
    assertThat(ids).isEqualTo(Arrays.copyOf(all, 100));
    assertThat(targets).isEqualTo(Arrays.copyOfRange(all, 1, 101));
    assertThat(new Samples(file, 100, 8).place(0, 0)).isNotEqualTo(samples.place(0, 0));
  }

  @Test
  void aTextShorterThanASequenceIsRefused() throws IOException {
    TokenFile file = TokenFile.open(Texts.tokens(folder, 257).resolve("train.bin"));
    assertThatThrownBy(() -> new Samples(file, 1_000_000, 7))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("fewer than a sequence");
  }
}
