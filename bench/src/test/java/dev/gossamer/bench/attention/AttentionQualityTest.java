package dev.gossamer.bench.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.attention.QualityPoint.Tail;
import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("slow")
class AttentionQualityTest {
  private static long tensorsLeft;
  private static QualityReport report;

  @BeforeAll
  static void measureTheBeginningOfEachHead() {
    long before = Tensor.live();
    report =
        AttentionQuality.run(
            QualitySettings.defaults()
                .withDensities(List.of(0.1, 0.4))
                .withMostTokens(512)
                .withStarts(1)
                .withThreads(1),
            BenchProgress.NONE);
    tensorsLeft = Tensor.live() - before;
  }

  @Test
  void everyMethodAndScorerIsThereWithAndWithoutTheTail() {
    for (QualityGroup group : QualityGroup.values()) {
      for (String method : group.methods()) {
        assertThat(
                report.points().stream()
                    .filter(point -> point.group() == group && point.method().equals(method)))
            .hasSize(2 * 2 * CapturedHead.values().length);
      }
    }
  }

  @Test
  void everyScorerIsBetterThanChance() {
    assertThat(report.points())
        .allSatisfy(
            point ->
                assertThat(point.measured().recall())
                    .as(point.toString())
                    .isGreaterThan(point.measured().density() + 0.03));
  }

  @Test
  void recallGrowsAndErrorFallsWithDensity() {
    List<QualityPoint> points = report.points();
    for (int i = 0; i < points.size(); i += 2) {
      QualityProbe.Measured sparse = points.get(i).measured();
      QualityProbe.Measured denser = points.get(i + 1).measured();
      assertThat(denser.density()).isGreaterThan(sparse.density());
      assertThat(denser.recall()).as(points.get(i).toString()).isGreaterThan(sparse.recall());
      assertThat(denser.error()).as(points.get(i).toString()).isLessThan(sparse.error());
    }
  }

  /** It only asks every query what it wants, where without it a sample is asked. */
  @Test
  void theTailHardlyMovesTheSelectionAndHelps() {
    List<QualityPoint> ours =
        report.points().stream()
            .filter(point -> point.method().equals("expectedError") && point.wanted() == 0.1)
            .toList();
    for (int i = 0; i < ours.size(); i += 2) {
      assertThat(ours.get(i).tail()).isEqualTo(Tail.OFF);
      assertThat(ours.get(i + 1).tail()).isEqualTo(Tail.CENTROID);
      assertThat(ours.get(i + 1).measured().recall())
          .isCloseTo(ours.get(i).measured().recall(), within(0.01));
      assertThat(ours.get(i + 1).measured().error()).isLessThan(ours.get(i).measured().error());
    }
  }

  @Test
  void pageShowsItsChartsAndEveryTable(@TempDir Path temp) throws IOException {
    Path folder = temp.resolve("docs/quality");
    report.write(folder);
    String page = Files.readString(folder.resolve("attention.md"));
    assertThat(page)
        .contains("(attention-methods.png)", "(attention-scorers.png)", "| at 0.10 | at 0.40 |")
        .contains("65/200, TensorQuest (the paper)", "10 Lloyd iterations");
    assertThat(ImageIO.read(folder.resolve("attention-scorers.png").toFile()).getWidth())
        .isGreaterThan(1000);
    assertThat(Files.readString(folder.resolve("attention.json"))).contains("\"relativeError\"");
  }

  @Test
  void saysWhereItCannotWrite(@TempDir Path temp) throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "");
    assertThatThrownBy(() -> report.write(file))
        .isInstanceOf(GossamerException.class)
        .hasMessageContaining("Cannot write the quality page into " + file);
  }

  @Test
  void everyTensorIsFreedInTheEnd() {
    assertThat(tensorsLeft).isZero();
  }

  @Test
  void refusesADensityThatIsNoShare() {
    assertThatThrownBy(() -> QualitySettings.defaults().withDensities(List.of(1.5)))
        .isInstanceOf(UsageException.class);
  }
}
