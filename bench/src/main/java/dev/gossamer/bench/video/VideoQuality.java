package dev.gossamer.bench.video;

import dev.gossamer.attention.AttentionMethod;
import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.attention.AttentionSubject;
import dev.gossamer.video.AttentionSummary;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.media.Psnr;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * How far sparse attention moves a whole video: PSNR and SSIM of decoded frames against dense
 * attention from the same noise, before any video compression. One video after the other; each
 * comparison is on disk as soon as it is made, and a second run goes on behind the last one.
 */
public final class VideoQuality {
  /** The file beside the page that keeps every comparison. */
  public static final String FILE = "videos.jsonl";

  private final VideoQualitySettings settings;
  private final TextToVideo model;
  private final ComparedVideos kept;
  private final BenchProgress progress;
  private int left;

  private VideoQuality(
      VideoQualitySettings settings,
      TextToVideo model,
      ComparedVideos kept,
      BenchProgress progress) {
    this.settings = settings;
    this.model = model;
    this.kept = kept;
    this.progress = progress;
  }

  /**
   * Makes what is missing.
   *
   * @param folder where {@value #FILE} is or will be
   */
  public static VideoQualityReport run(
      VideoQualitySettings settings, Path folder, BenchProgress progress) {
    try (TextToVideo model = TextToVideo.open(settings.model(), settings.options())) {
      ComparedVideos kept = ComparedVideos.in(folder.resolve(FILE));
      return new VideoQuality(settings, model, kept, progress).run();
    }
  }

  private VideoQualityReport run() {
    for (String prompt : settings.prompts()) {
      left += missing(prompt).size();
    }
    for (String prompt : settings.prompts()) {
      complete(prompt);
    }
    List<ComparedVideo> compared = new ArrayList<>();
    for (AttentionSubject subject : settings.subjects()) {
      for (String prompt : settings.prompts()) {
        compared.add(find(prompt, subject).orElseThrow());
      }
    }
    return new VideoQualityReport(model.model().name(), settings, compared);
  }

  private List<AttentionSubject> missing(String prompt) {
    return settings.subjects().stream().filter(subject -> find(prompt, subject).isEmpty()).toList();
  }

  private Optional<ComparedVideo> find(String prompt, AttentionSubject subject) {
    return kept.find(made(subject.create()), prompt, subject.label());
  }

  private void complete(String prompt) {
    List<AttentionSubject> missing = missing(prompt);
    if (missing.isEmpty()) {
      return;
    }
    progress.note(prompt + ": dense");
    SeenVideo dense = make(prompt, AttentionSubject.parse("dense").create());
    for (AttentionSubject subject : missing) {
      progress.note(prompt + ": " + subject.label() + ", " + left-- + " to go");
      AttentionMethod method = subject.create();
      SeenVideo sparse = make(prompt, method);
      kept.add(compared(prompt, subject.label(), made(method), sparse, dense));
    }
  }

  private SeenVideo make(String prompt, AttentionMethod method) {
    progress.check();
    VideoRequest request =
        model
            .request(prompt)
            .withSize(settings.size().width(), settings.size().height())
            .withFrames(settings.frames())
            .withSteps(settings.steps())
            .withGuidance(settings.guidance())
            .withSeed(settings.seed())
            .withAttention(method);
    return SeenVideo.make(model, request, SeenVideo.stoppable(progress));
  }

  /** Everything beside the prompt that decides a video and its dense twin. */
  private String made(AttentionMethod method) {
    return String.join(
        ", ",
        model.model().name(),
        settings.frames() + " frames " + settings.size(),
        settings.steps() + " steps",
        "guidance " + settings.guidance(),
        "seed " + settings.seed(),
        settings.options().dtype().optionName(),
        "decoder " + settings.options().decoderDtype().optionName(),
        method.name(),
        method.settings().toString());
  }

  private ComparedVideo compared(
      String prompt, String attention, String made, SeenVideo sparse, SeenVideo dense) {
    Psnr psnr = sparse.psnr(dense);
    AttentionSummary summary = sparse.attention();
    double clustered = clusteredShare(summary);
    return new ComparedVideo(
        made,
        prompt,
        attention,
        summary.density(),
        clustered == 0 ? 1 : (summary.density() - (1 - clustered)) / clustered,
        clustered == 0 ? 0 : summary.pseudoKeys() / clustered,
        psnr.mean(),
        sparse.ssim(dense).mean(),
        Psnr.psnrUint8Wrap(sparse.frames(), dense.frames()),
        Collections.min(psnr.perFrame()),
        summary.seconds(),
        sparse.seconds());
  }

  /** Share of the attention calls that were clustered. */
  private double clusteredShare(AttentionSummary summary) {
    long dense = summary.denseCalls().values().stream().mapToLong(Long::longValue).sum();
    int branches = settings.guidance() > 1 ? 2 : 1;
    double calls = (double) summary.perLayer().size() * settings.steps() * branches;
    return 1 - dense / calls;
  }
}
