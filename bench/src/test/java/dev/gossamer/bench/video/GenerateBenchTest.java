package dev.gossamer.bench.video;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.BenchReport;
import dev.gossamer.bench.BenchRow;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.mini.MiniModel;
import dev.gossamer.tensor.failure.UsageException;
import dev.gossamer.video.ModelOptions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class GenerateBenchTest {
  private static final GenerateBenchSettings SMALL =
      GenerateBenchSettings.of(MiniModel.folder(), ModelOptions.defaults())
          .withSizes(List.of(new VideoSize(96, 96)))
          .withFrames(5)
          .withSteps(2)
          .withRuns(1);

  @Test
  @Tag("slow")
  void tellsWhereTheTimeOfAVideoGoes() {
    BenchReport report =
        GenerateBench.run(
            SMALL.withSubjects(AttentionSubject.parseAll("default@.25+minTokens=0+denseSteps=0")),
            BenchProgress.NONE);
    assertThat(report.rows()).hasSize(1);
    BenchRow row = report.rows().get(0);
    assertThat(row.benchCase()).isEqualTo("5 frames 96x96, 2 steps");
    assertThat(row.rival()).isEqualTo("dense");
    assertThat(row.relativeError()).isBetween(0.0, 2.0);
    assertThat((double) row.more().get("psnr")).isBetween(5.0, 100.0);
    assertThat((double) row.more().get("density")).isLessThan(0.6);
    assertThat((Map<?, ?>) row.more().get("subjectStages"))
        .extracting(Map::keySet)
        .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.COLLECTION)
        .contains("text", "transformer", "decode", "write", "total");
    assertThat((double) report.settings().get("firstStepSeconds")).isPositive();
    assertThat(GenerateBench.table(report))
        .contains("transformer", "default@.25+minTokens=0", "Load average");
  }

  @Test
  void refusesToMeasureNothing() {
    assertThatThrownBy(() -> SMALL.withRuns(0)).isInstanceOf(UsageException.class);
    assertThatThrownBy(() -> SMALL.withSizes(List.of())).isInstanceOf(UsageException.class);
  }
}
