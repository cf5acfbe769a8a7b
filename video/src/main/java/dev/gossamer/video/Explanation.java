package dev.gossamer.video;

import dev.gossamer.attention.AttentionReport;
import dev.gossamer.attention.TokenGrid;
import dev.gossamer.video.media.ExplainSheet;
import dev.gossamer.video.media.Frame;
import dev.gossamer.video.media.Frames;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Which tokens were in one key cluster at a step: of the prompt's branch, the first head, and the
 * layer in the middle of those that clustered, beside the frames that came of it.
 */
final class Explanation {
  private Explanation() {}

  /**
   * The sheet of a step.
   *
   * @param frames one picture for each latent frame
   * @return empty if no layer clustered in this step
   */
  static Optional<ExplainSheet> of(
      int step, VideoRequest request, TokenGrid grid, AttentionReport report, List<Frame> frames) {
    List<AttentionReport.ClusterLabels> candidates =
        report.labels().stream()
            .filter(labels -> labels.step() == step && labels.branch() == 0 && labels.head() == 0)
            .toList();
    if (candidates.isEmpty()) {
      return Optional.empty();
    }
    AttentionReport.ClusterLabels shown = candidates.get(candidates.size() / 2);
    int[] video = ofVideo(shown.keys(), grid);
    AttentionSummary ofStep =
        AttentionSummary.of(
            new AttentionReport(
                report.calls().stream().filter(call -> call.step() == step).toList(), List.of()));
    String title =
        String.format(
            Locale.ROOT,
            "Step %d of %d, layer %d, head %d: %s",
            step + 1,
            request.steps(),
            shown.layer(),
            shown.head(),
            VideoRun.title(request.prompt()));
    return Optional.of(
        new ExplainSheet(
            title,
            grid,
            video,
            new Frames(frames),
            ofStep.perLayer().stream().mapToDouble(AttentionSummary.Layer::density).toArray(),
            ofStep.perLayer().stream().mapToDouble(AttentionSummary.Layer::recall).toArray()));
  }

  /**
   * Protected text has no labels; text that is clustered like video has them around the video's.
   */
  static int[] ofVideo(int[] labels, TokenGrid grid) {
    return labels.length == grid.videoTokens()
        ? labels
        : Arrays.copyOfRange(labels, grid.textBefore(), grid.textBefore() + grid.videoTokens());
  }
}
