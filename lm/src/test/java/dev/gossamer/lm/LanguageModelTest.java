package dev.gossamer.lm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.moe.Initialisation;
import dev.gossamer.moe.Initialisation.Start;
import dev.gossamer.moe.Parameter;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.tensor.settings.SettingsFile;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class LanguageModelTest {
  private static final int LENGTH = 9;

  static Stream<Arguments> models() {
    return TinyModels.all().entrySet().stream()
        .map(model -> Arguments.of(model.getKey(), model.getValue()));
  }

  private static LanguageModel model(ModelSettings settings, Threads threads) {
    LanguageModel model = new LanguageModel(settings, 5, DType.FLOAT64, threads);
    try (Scope scope = Scope.open()) { // embeddings as small as usual would hide what a norm does
      for (Parameter parameter : model.parameters()) {
        if (parameter.name().equals("embedding") || parameter.name().endsWith("gate")) {
          parameter.value().mulInPlace(20);
        }
      }
    }
    return model;
  }

  private static int[] ids(int count, long seed) {
    return new Random(seed).ints(count, 0, TinyModels.VOCABULARY).toArray();
  }

  @ParameterizedTest
  @MethodSource("models")
  void isTheLoopsInDoublePrecision(String name, ModelSettings settings) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        LanguageModel model = model(settings, threads)) {
      PlainModel plain = new PlainModel(settings, model.parameters());
      int[] both = ids(2 * LENGTH, 1);
      double[] logits = model.logits(both, 2).toDoubles();
      for (int sequence = 0; sequence < 2; sequence++) {
        int[] one = Arrays.copyOfRange(both, sequence * LENGTH, (sequence + 1) * LENGTH);
        double[][] expected = plain.logits(one);
        for (int t = 0; t < LENGTH; t++) {
          int at = (sequence * LENGTH + t) * TinyModels.VOCABULARY;
          assertThat(Arrays.copyOfRange(logits, at, at + TinyModels.VOCABULARY))
              .containsExactly(expected[t], offset(1e-11));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void settingsAreADocument(String name, ModelSettings settings) {
    ObjectNode document = new ObjectMapper().valueToTree(ModelDocument.of(settings));
    ModelSettings read = ModelDocument.read(SettingsFile.of("test", document));
    assertThat(ModelDocument.of(read)).isEqualTo(ModelDocument.of(settings));
    assertThat(read.attention()).isEqualTo(settings.attention());
    assertThat(read.where()).isEqualTo(settings.where());
  }

  @ParameterizedTest
  @CsvSource({"fan-in, FAN_IN", "level, LEVEL", "paper, PAPER", ", LEVEL"})
  void aDocumentSaysHowWeightsAreDrawn(String word, Start start) {
    ModelSettings settings =
        TinyModels.all().values().stream()
            .filter(model -> model.experts().isPresent())
            .findFirst()
            .orElseThrow();
    ObjectNode document = new ObjectMapper().valueToTree(ModelDocument.of(settings));
    document.remove("initialisation");
    if (word != null) {
      document.put("initialisation", word);
    }
    ModelSettings read = ModelDocument.read(SettingsFile.of("test", document));
    assertThat(read.experts().orElseThrow().initialisation())
        .isEqualTo(new Initialisation(start, settings.layers()));
    assertThat(ModelDocument.of(read).get("initialisation"))
        .isEqualTo(word == null ? "level" : word);
  }

  @ParameterizedTest
  @MethodSource("models")
  void seesNothingOfTheFuture(String name, ModelSettings settings) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        LanguageModel model = model(settings, threads)) {
      int[] ids = ids(LENGTH, 2);
      int[] changed = ids.clone();
      changed[5] = (changed[5] + 1) % TinyModels.VOCABULARY;
      double[] logits = model.logits(ids, 1).toDoubles();
      double[] others = model.logits(changed, 1).toDoubles();
      int before = 5 * TinyModels.VOCABULARY;
      assertThat(Arrays.copyOf(others, before))
          .containsExactly(Arrays.copyOf(logits, before), offset(1e-12));
      assertThat(Arrays.copyOfRange(others, before, others.length))
          .isNotEqualTo(Arrays.copyOfRange(logits, before, logits.length));
    }
  }

  /** Every weight of the model, through all of its blocks, with the losses of balance. */
  @ParameterizedTest
  @MethodSource("models")
  void gradientsAreThoseOfFiniteDifferences(String name, ModelSettings settings) {
    double step = 1e-6;
    int[] ids = ids(2 * LENGTH, 3);
    int[] targets = ids(2 * LENGTH, 4);
    targets[3] = -1;
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        LanguageModel model = model(settings, threads)) {
      loss(model, ids, targets);
      Map<String, double[]> gradients = new TreeMap<>();
      model.parameters().forEach(p -> gradients.put(p.name(), p.gradient().toDoubles()));
      for (Parameter parameter : model.parameters()) {
        double[] gradient = gradients.get(parameter.name());
        Tensor flat = parameter.value().reshape(parameter.value().count());
        int every = Math.max(1, gradient.length / 6);
        for (int i = 0; i < gradient.length; i += every) {
          Tensor one = flat.narrow(0, i, 1);
          one.addInPlace(step);
          double above = loss(model, ids, targets);
          one.addInPlace(-2 * step);
          double below = loss(model, ids, targets);
          one.addInPlace(step);
          double found = (above - below) / (2 * step);
          assertThat(gradient[i])
              .as("%s[%d]", parameter.name(), i)
              .isCloseTo(found, offset(1e-8 * (1 + Math.abs(found))));
        }
      }
    }
  }

  private static double loss(LanguageModel model, int[] ids, int[] targets) {
    model.parameters().forEach(Parameter::clearGradient);
    Losses losses = model.learn(ids, targets, 2, 0, 17, 0.5);
    assertThat(losses.tokens()).isEqualTo(17);
    return losses.crossEntropy() / 17 + 0.5 * (losses.auxiliary() + losses.zLoss());
  }

  @Test
  void gradientsAddUpOverCalls() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        LanguageModel model = model(TinyModels.bigMac(), threads)) {
      int[] ids = ids(2 * LENGTH, 5);
      int[] targets = ids(2 * LENGTH, 6);
      double together = model.learn(ids, targets, 2, 0, 18, 1).crossEntropy();
      List<double[]> gradients =
          model.parameters().stream().map(p -> p.gradient().toDoubles()).toList();
      model.parameters().forEach(Parameter::clearGradient);
      double apart = 0;
      for (int half = 0; half < 2; half++) {
        int[] some = Arrays.copyOfRange(ids, half * LENGTH, (half + 1) * LENGTH);
        int[] next = Arrays.copyOfRange(targets, half * LENGTH, (half + 1) * LENGTH);
        apart += model.learn(some, next, 1, 0, 18, 0.5).crossEntropy();
      }
      assertThat(apart).isCloseTo(together, offset(1e-12));
      for (int i = 0; i < gradients.size(); i++) {
        assertThat(model.parameters().get(i).gradient().toDoubles())
            .containsExactly(gradients.get(i), offset(1e-13));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void theLossIsThatOfTheLogits(String name, ModelSettings settings) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        LanguageModel model = model(settings, threads)) {
      int[] ids = ids(LENGTH, 7);
      int[] targets = ids(LENGTH, 8);
      double[] logits = model.logits(ids, 1).toDoubles();
      double expected = 0;
      for (int t = 0; t < LENGTH; t++) {
        double sum = 0;
        for (int v = 0; v < TinyModels.VOCABULARY; v++) {
          sum += Math.exp(logits[t * TinyModels.VOCABULARY + v]);
        }
        expected += Math.log(sum) - logits[t * TinyModels.VOCABULARY + targets[t]];
      }
      assertThat(model.loss(ids, targets, 1)).isCloseTo(expected, offset(1e-10));
    }
  }

  /** Two sequences of different lengths, together, in pieces: as each whole and alone. */
  @ParameterizedTest
  @MethodSource("models")
  void aCacheChangesNothing(String name, ModelSettings settings) {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        LanguageModel model = model(settings, threads);
        KeyValueCache first = model.newCache();
        KeyValueCache second = model.newCache()) {
      int[] a = ids(11, 9);
      int[] b = ids(8, 10);
      double[] ofA = model.logits(a, 1).toDoubles();
      double[] ofB = model.logits(b, 1).toDoubles();
      int[][] counts = {{4, 1}, {1, 5}, {0, 0}, {1, 1}, {5, 1}};
      int atA = 0;
      int atB = 0;
      for (int[] count : counts) {
        int[] ids = new int[count[0] + count[1]];
        System.arraycopy(a, atA, ids, 0, count[0]);
        System.arraycopy(b, atB, ids, count[0], count[1]);
        double[] found = model.logits(ids, List.of(first, second), count).toDoubles();
        int v = TinyModels.VOCABULARY;
        assertThat(Arrays.copyOf(found, count[0] * v))
            .containsExactly(Arrays.copyOfRange(ofA, atA * v, (atA + count[0]) * v), offset(1e-11));
        assertThat(Arrays.copyOfRange(found, count[0] * v, found.length))
            .containsExactly(Arrays.copyOfRange(ofB, atB * v, (atB + count[1]) * v), offset(1e-11));
        atA += count[0];
        atB += count[1];
      }
      assertThat(first.length()).isEqualTo(11);
    }
  }

  @Test
  void aCacheGrowsAndEndsWithTheContext() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        LanguageModel model = model(TinyModels.bigMac(), threads);
        KeyValueCache cache = model.newCache()) {
      assertThatThrownBy(() -> model.logits(ids(25, 1), List.of(cache), new int[] {25}))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("25 tokens")
          .hasMessageContaining("24");
      model.logits(ids(24, 1), List.of(cache), new int[] {24});
      assertThat(cache.left()).isZero();
      assertThatThrownBy(() -> model.logits(ids(1, 1), List.of(cache), new int[] {1}))
          .isInstanceOf(UsageException.class);
    }
  }

  @Test
  void speedsOfALongerContextGoOverFromFastToSlowByEqualSteps() {
    Rotary.Yarn yarn = new Rotary.Yarn(8, 16, 3, 0.3, true, 1);
    double[] speeds = new Rotary(10, Optional.of(yarn)).speeds(8);
    // 4 ln(16 / (2 pi 3)) / ln 10 < 0 and 4 ln(16 / (2 pi 0.3)) / ln 10 = 3.7: from pair 0 to pair
    // 4
    for (int j = 0; j < 4; j++) {
      double before = Math.pow(10, -j / 4.0);
      assertThat(speeds[j]).isCloseTo(before * (1 - j / 4.0 * 7 / 8), offset(1e-15));
    }
  }

  /** Longer than one tile of queries. */
  @Test
  void tilesOfQueriesAreSeamless() {
    Random random = new Random(3);
    int n = 300;
    int d = 6;
    double[][] q = new double[n][d];
    double[][] k = new double[n][d];
    double[][] v = new double[n][d];
    for (int t = 0; t < n; t++) {
      for (int i = 0; i < d; i++) {
        q[t][i] = random.nextGaussian();
        k[t][i] = random.nextGaussian();
        v[t][i] = random.nextGaussian();
      }
    }
    try (Scope scope = Scope.open()) {
      Tensor y = Tensor.empty(DType.FLOAT64, n, d);
      CausalProduct.forward(y, tensor(q), tensor(k), tensor(v), 0.4);
      double[] found = y.toDoubles();
      for (int t = 0; t < n; t++) {
        double[] expected = new double[d];
        double sum = 0;
        for (int s = 0; s <= t; s++) {
          double score = 0;
          for (int i = 0; i < d; i++) {
            score += 0.4 * q[t][i] * k[s][i];
          }
          sum += Math.exp(score);
          for (int i = 0; i < d; i++) {
            expected[i] += Math.exp(score) * v[s][i];
          }
        }
        for (int i = 0; i < d; i++) {
          assertThat(found[t * d + i]).isCloseTo(expected[i] / sum, offset(1e-12));
        }
      }
    }
  }

  private static Tensor tensor(double[][] rows) {
    double[] all = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    return Tensor.of(all, rows.length, rows[0].length);
  }

  /** The numbers of the same model in lesser types are those of float64, as far as they go. */
  @ParameterizedTest
  @CsvSource({
    "FLOAT32, dense",
    "BFLOAT16, dense",
    "FLOAT32, 'latent attention, narrowed queries, longer context'",
    "BFLOAT16, 'latent attention, narrowed queries, longer context'"
  })
  void lesserTypesComeClose(DType dtype, String name) {
    int[] ids = ids(2 * LENGTH, 11);
    int[] targets = ids(2 * LENGTH, 12);
    ModelSettings settings = TinyModels.all().get(name);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(2);
        LanguageModel exact = new LanguageModel(settings, 5, DType.FLOAT64, threads);
        LanguageModel model = new LanguageModel(settings, 5, dtype, threads)) {
      for (int i = 0; i < exact.parameters().size(); i++) {
        exact.parameters().get(i).value().copyFrom(model.parameters().get(i).value());
      }
      double expected = exact.learn(ids, targets, 2, 0, 18, 1).crossEntropy();
      double found = model.learn(ids, targets, 2, 0, 18, 1).crossEntropy();
      double tolerance = dtype == DType.FLOAT32 ? 1e-5 : 2e-2;
      assertThat(found).isCloseTo(expected, offset(tolerance * expected));
      for (int i = 0; i < exact.parameters().size(); i++) {
        Tensor right = exact.parameters().get(i).gradient();
        Tensor off = model.parameters().get(i).gradient().to(DType.FLOAT64).sub(right);
        double relative =
            Math.sqrt(off.square().sum().item() / (1e-12 + right.square().sum().item()));
        assertThat(relative)
            .as(exact.parameters().get(i).name())
            .isLessThan(dtype == DType.FLOAT32 ? 1e-4 : 0.05);
      }
      try (KeyValueCache cache = model.newCache()) {
        Tensor whole = model.logits(ids, 1);
        int[] first = Arrays.copyOf(ids, LENGTH);
        int[] rest = Arrays.copyOfRange(ids, LENGTH, 2 * LENGTH);
        model.logits(first, List.of(cache), new int[] {LENGTH});
        Tensor further = model.logits(rest, List.of(cache), new int[] {LENGTH});
        Tensor off = further.sub(whole.narrow(0, LENGTH, LENGTH));
        double relative = Math.sqrt(off.square().sum().item() / whole.square().sum().item());
        assertThat(relative).isLessThan(dtype == DType.FLOAT32 ? 1e-5 : 0.02);
      }
    }
  }

  @Test
  void unknownTokensAreRefused() {
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        LanguageModel model = model(TinyModels.bigMac(), threads)) {
      assertThatThrownBy(() -> model.logits(new int[] {3, 11}, 1))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("Token 11");
    }
  }

  @Test
  void freesItsMemory() {
    long before = Tensor.live();
    try (Threads threads = new Threads(2)) {
      for (int i = 0; i < 3; i++) {
        try (Scope scope = Scope.open();
            LanguageModel model = model(TinyModels.bigMac(), threads);
            KeyValueCache cache = model.newCache()) {
          model.learn(ids(LENGTH, 1), ids(LENGTH, 2), 1, 0, 9, 1);
          model.logits(ids(LENGTH, 1), List.of(cache), new int[] {LENGTH});
        }
      }
    }
    assertThat(Tensor.live()).isEqualTo(before);
  }
}
