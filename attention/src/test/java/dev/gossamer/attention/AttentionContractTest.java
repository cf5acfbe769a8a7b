package dev.gossamer.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every attention method of the catalog must keep, with each of its presets. */
class AttentionContractTest {
  static Stream<String> methods() {
    return Stream.of(
        "dense",
        "adacluster",
        "adacluster/paper",
        "adacluster/cluster",
        "svg2",
        "sparge",
        "adacluster/default/libtorch",
        "adacluster/cluster/libtorch");
  }

  /** Options that make every method do its own work on short made-up videos. */
  private static AttentionMethod method(String name, boolean everything) {
    String[] parts = name.split("/");
    AttentionOptions options = AttentionOptions.defaults();
    if (parts.length > 1) {
      options = options.withPreset(parts[1]);
    }
    if (!parts[0].equals("dense")) {
      options = options.withSetting("minTokens", "0").withSetting("denseLayers", "[]");
      options = parts.length > 2 ? options.withSetting("execution", parts[2]) : options;
      options = everything ? options.withDensity(1) : options;
    }
    return AttentionCatalog.create(parts[0], options);
  }

  private record Exact(MadeUpVideo video, DType dtype, int step, int branch, int head) {}

  /** What the oracle says is the same for every method, so it says it once. */
  private static final Map<Exact, double[][]> EXACT = new HashMap<>();

  private static double[][] dense(MadeUpVideo video, DType dtype, int step, int branch, int head) {
    return EXACT.computeIfAbsent(
        new Exact(video, dtype, step, branch, head),
        of -> video.dense(dtype, step, 0, branch, head));
  }

  @AfterAll
  static void forget() {
    EXACT.clear();
  }

  /** Outputs of all steps, one call after the other, of a video with two layers and branches. */
  private static List<float[]> outputs(AttentionMethod method, MadeUpVideo video, int threadCount) {
    List<float[]> outputs = new ArrayList<>();
    try (Threads threads = new Threads(threadCount);
        AttentionSession session = method.open(video.plan(), threads)) {
      for (int step = 0; step < video.steps(); step++) {
        for (int layer = 0; layer < video.layers(); layer++) {
          for (int branch = 0; branch < video.branches(); branch++) {
            try (Scope scope = Scope.open()) {
              outputs.add(video.attend(session, DType.FLOAT32, step, layer, branch).toFloats());
            }
          }
        }
      }
    }
    return outputs;
  }

  private static void assertSameBits(List<float[]> actual, List<float[]> expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int call = 0; call < expected.size(); call++) {
      assertThat(Arrays.equals(actual.get(call), expected.get(call))).as("call " + call).isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void catalogKnowsTheMethodByItsName(String name) {
    assertThat(method(name, false).name()).isEqualTo(name.split("/")[0]);
  }

  @ParameterizedTest
  @MethodSource("methods")
  void keepsShapeAndTypeAndLeavesItsInputsAlone(String name) {
    MadeUpVideo video = MadeUpVideo.of(300, 2, 1, 1, 2);
    for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16, DType.FLOAT64}) {
      try (Scope scope = Scope.open();
          Threads threads = new Threads(1);
          AttentionSession session = method(name, false).open(video.plan(), threads)) {
        for (int step = 0; step < 2; step++) {
          Tensor q = video.queries(dtype, step, 0, 0);
          Tensor k = video.keys(dtype, step, 0, 0);
          Tensor v = video.values(dtype, step, 0, 0);
          Tensor output = session.attention(0, 0).attend(q, k, v, step);
          assertThat(output.shape()).isEqualTo(q.shape());
          assertThat(output.dtype()).isEqualTo(dtype);
          assertThat(output.isFinite().all().isTrue()).isTrue();
          assertThat(q.eq(video.queries(dtype, step, 0, 0)).all().isTrue()).isTrue();
          assertThat(k.eq(video.keys(dtype, step, 0, 0)).all().isTrue()).isTrue();
          assertThat(v.eq(video.values(dtype, step, 0, 0)).all().isTrue()).isTrue();
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void equalsDenseAtDensityOne(String name) {
    for (int tokens : new int[] {1, 7, 64, 1000}) {
      MadeUpVideo video = MadeUpVideo.of(tokens, 2, 1, 1, 2);
      for (DType dtype : new DType[] {DType.FLOAT32, DType.BFLOAT16}) {
        try (Scope scope = Scope.open();
            Threads threads = new Threads(1);
            AttentionSession session = method(name, true).open(video.plan(), threads)) {
          for (int step = 0; step < 2; step++) {
            Tensor output = video.attend(session, dtype, step, 0, 0);
            for (int head = 0; head < 2; head++) {
              assertThat(
                      PlainAttention.worstRow(
                          Tokens.rows(output, 0, head), dense(video, dtype, step, 0, head)))
                  .as(tokens + " tokens, " + dtype + ", step " + step)
                  .isLessThan(dtype == DType.FLOAT32 ? 2e-6 : 2e-2);
            }
          }
          assertThat(session.report().density()).isEqualTo(1);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void theSameVideoTwiceGivesTheSameBits(String name) {
    MadeUpVideo video = MadeUpVideo.of(500, 3, 2, 2, 3);
    assertSameBits(outputs(method(name, false), video, 1), outputs(method(name, false), video, 1));
  }

  @ParameterizedTest
  @MethodSource("methods")
  void threadsDoNotChangeABit(String name) {
    MadeUpVideo video = MadeUpVideo.of(2305, 3, 1, 1, 2);
    List<float[]> alone = outputs(method(name, false), video, 1);
    assertSameBits(outputs(method(name, false), video, 2), alone);
    assertSameBits(outputs(method(name, false), video, 4), alone);
  }

  @ParameterizedTest
  @MethodSource("methods")
  void inputsWithHeadsInnermostGiveTheSameBits(String name) {
    MadeUpVideo video = MadeUpVideo.of(300, 3, 1, 1, 2);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession plain = method(name, false).open(video.plan(), threads);
        AttentionSession strided = method(name, false).open(video.plan(), threads)) {
      for (int step = 0; step < 2; step++) {
        Tensor output = video.attend(plain, DType.FLOAT32, step, 0, 0);
        Tensor other =
            strided
                .attention(0, 0)
                .attend(
                    headsInnermost(video.queries(DType.FLOAT32, step, 0, 0)),
                    headsInnermost(video.keys(DType.FLOAT32, step, 0, 0)),
                    headsInnermost(video.values(DType.FLOAT32, step, 0, 0)),
                    step);
        assertThat(Arrays.equals(other.toFloats(), output.toFloats())).isTrue();
      }
    }
  }

  /** The same numbers, laid out as a model's projections leave them: tokens, then heads. */
  private static Tensor headsInnermost(Tensor tensor) {
    Tensor view = tensor.transpose(1, 2).copy().contiguous().transpose(1, 2);
    assertThat(view.isContiguous()).isFalse();
    return view;
  }

  @ParameterizedTest
  @MethodSource("methods")
  void aBatchIsItsEntriesSideBySideAtDensityOne(String name) {
    MadeUpVideo video = MadeUpVideo.of(200, 2, 1, 2, 2);
    try (Scope scope = Scope.open();
        Threads threads = new Threads(1);
        AttentionSession session = method(name, true).open(video.plan(), threads)) {
      for (int step = 0; step < 2; step++) {
        Tensor output =
            session
                .attention(0, 0)
                .attend(
                    both(
                        video.queries(DType.FLOAT32, step, 0, 0),
                        video.queries(DType.FLOAT32, step, 0, 1)),
                    both(
                        video.keys(DType.FLOAT32, step, 0, 0),
                        video.keys(DType.FLOAT32, step, 0, 1)),
                    both(
                        video.values(DType.FLOAT32, step, 0, 0),
                        video.values(DType.FLOAT32, step, 0, 1)),
                    step);
        for (int entry = 0; entry < 2; entry++) {
          for (int head = 0; head < 2; head++) {
            assertThat(
                    PlainAttention.worstRow(
                        Tokens.rows(output, entry, head),
                        dense(video, DType.FLOAT32, step, entry, head)))
                .isLessThan(2e-6);
          }
        }
      }
    }
  }

  private static Tensor both(Tensor first, Tensor second) {
    return Tensor.cat(0, first, second);
  }

  @ParameterizedTest
  @MethodSource("methods")
  void closingASessionFreesAllItsMemory(String name) {
    MadeUpVideo video = MadeUpVideo.of(300, 2, 2, 2, 4);
    long before = Tensor.live();
    for (int round = 0; round < 3; round++) {
      outputs(method(name, false), video, 2);
      assertThat(Tensor.live()).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void aFurtherStepNeedsNoMoreMemoryThanTheOneBefore(String name) {
    MadeUpVideo video = MadeUpVideo.of(300, 2, 2, 1, 12);
    try (Threads threads = new Threads(1);
        AttentionSession session = method(name, false).open(video.plan(), threads)) {
      Map<Integer, Long> live = new TreeMap<>();
      for (int step = 0; step < 12; step++) {
        for (int layer = 0; layer < 2; layer++) {
          try (Scope scope = Scope.open()) {
            video.attend(session, DType.FLOAT32, step, layer, 0);
          }
        }
        live.put(step, Tensor.live());
      }
      // Scratch memory has some views for each shape that it meets, at most a few dozen.
      assertThat(live.get(11) - live.get(8)).isLessThan(100);
    }
  }

  @ParameterizedTest
  @MethodSource("methods")
  void reportHasOneCallForEachLayerBranchAndStep(String name) {
    MadeUpVideo video = MadeUpVideo.of(200, 1, 2, 2, 3);
    try (Threads threads = new Threads(1);
        AttentionSession session = method(name, false).open(video.plan(), threads)) {
      for (int step = 0; step < 3; step++) {
        for (int branch = 1; branch >= 0; branch--) {
          for (int layer = 1; layer >= 0; layer--) {
            try (Scope scope = Scope.open()) {
              video.attend(session, DType.FLOAT32, step, layer, branch);
            }
          }
        }
      }
      List<AttentionReport.Call> calls = session.report().calls();
      assertThat(calls).hasSize(12);
      for (int at = 0; at < 12; at++) {
        AttentionReport.Call call = calls.get(at);
        assertThat(new int[] {call.step(), call.layer(), call.branch()})
            .containsExactly(at / 4, at / 2 % 2, at % 2);
        assertThat(call.density()).isBetween(0.0, 1.0).isPositive();
        assertThat(call.seconds()).isNotNegative();
        assertThat(call.dense().isEmpty()).isEqualTo(call.queryClusters() > 0);
        assertThat(call.dense().isEmpty()).isEqualTo(call.keyClusters() > 0);
      }
    }
  }
}
