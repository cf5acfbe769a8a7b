package dev.gossamer.bench.plan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.gossamer.moe.plan.ClusterProfile;
import dev.gossamer.moe.plan.PaperComparison;
import dev.gossamer.moe.plan.PlanReport;
import dev.gossamer.moe.plan.PlanSettings;
import dev.gossamer.moe.plan.PlannedModel;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlanChartTest {
  private static PlanReport report(String cluster) {
    PlannedModel model = PlannedModel.preset("gpt3-medium");
    ClusterProfile profile = ClusterProfile.preset(cluster);
    return PlanReport.of(model, profile, PlanSettings.of(model, profile));
  }

  @Test
  void drawsFourPanels(@TempDir Path temp) throws IOException {
    for (String cluster : ClusterProfile.PRESETS) {
      Path file = temp.resolve(cluster + ".png");
      PlanChart.write(report(cluster), file);
      BufferedImage image = ImageIO.read(file.toFile());
      assertThat(image.getWidth()).isGreaterThan(image.getHeight());
      assertThat(image.getRGB(0, 0) & 0xFFFFFF).isEqualTo(0xFFFFFF);
    }
  }

  @Test
  void theTableEndsWithTheVerdict() {
    assertThat(PlanTable.of(report("cpu-host")))
        .containsSubsequence("structure", "bigmac", "ranks", "top-k", "link x")
        .contains("\nBigMac does not pay here: ");
  }

  @Test
  void everyTableOfThePaperIsThere() {
    assertThat(PaperTables.of(PaperComparison.compute()))
        .containsSubsequence(
            "Table 1, training",
            "Table 1, inference",
            "Table 3",
            "Table 4",
            "Table 9",
            "Figure 4",
            "Figure 3")
        .doesNotContain("-0.0\n");
  }
}
