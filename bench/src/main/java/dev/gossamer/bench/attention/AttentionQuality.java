package dev.gossamer.bench.attention;

import dev.gossamer.bench.BenchProgress;
import dev.gossamer.bench.attention.QualityPoint.Tail;
import dev.gossamer.tensor.Threads;
import java.util.ArrayList;
import java.util.List;

/**
 * What clustering costs in exactness: recall of attention mass and output error against density,
 * for every preset, scorer and rival, with and without the tail, on the captured heads. No times
 * are taken, so the machine may be busy.
 */
public final class AttentionQuality {
  private final QualitySettings settings;
  private final BenchProgress progress;
  private final List<QualityPoint> points = new ArrayList<>();
  private final List<QualityReport.Reproduced> reproduced = new ArrayList<>();
  private final List<QualityReport.Changed> changed = new ArrayList<>();

  private AttentionQuality(QualitySettings settings, BenchProgress progress) {
    this.settings = settings;
    this.progress = progress;
  }

  /** Measures; takes some minutes with the default settings. */
  public static QualityReport run(QualitySettings settings, BenchProgress progress) {
    AttentionQuality quality = new AttentionQuality(settings, progress);
    CapturedHeads captured = CapturedHeads.open();
    try (Threads threads = new Threads(settings.threads())) {
      for (CapturedHead head : CapturedHead.values()) {
        try (QualityProbe probe = new QualityProbe(captured, head, settings, threads)) {
          for (QualityGroup group : QualityGroup.values()) {
            quality.sweep(probe, group);
          }
          quality.reproduce(probe);
          quality.change(probe);
        }
      }
    }
    return new QualityReport(settings, quality.points, quality.reproduced, quality.changed);
  }

  private void sweep(QualityProbe probe, QualityGroup group) {
    for (String method : group.methods()) {
      progress.note(probe.head().title() + ": " + method);
      AttentionSubject own = group.subject(method, settings.densities().get(0));
      // The presets choose the number of query clusters by whether there is a tail; here both
      // columns of a method have the same.
      String queryClusters = String.valueOf(probe.measure(own).queryClusters());
      for (Tail tail : Tail.values()) {
        for (double density : settings.densities()) {
          progress.check();
          AttentionSubject subject =
              group.subject(method, density).with("kq", queryClusters).with("tail", tail.setting());
          points.add(
              new QualityPoint(group, method, tail, probe.head(), density, probe.measure(subject)));
        }
      }
    }
  }

  private void reproduce(QualityProbe probe) {
    for (EarlierTable.Line line : EarlierTable.lines()) {
      progress.note(probe.head().title() + ": " + line.title() + " at " + line.density());
      for (Tail tail : Tail.values()) {
        progress.check();
        reproduced.add(
            new QualityReport.Reproduced(
                line, tail, probe.head(), probe.measure(line.subject(tail), settings.starts())));
      }
    }
  }

  private void change(QualityProbe probe) {
    for (QualityReport.Change change : QualityReport.Change.values()) {
      progress.check();
      AttentionSubject subject = change.subject();
      changed.add(
          new QualityReport.Changed(
              change, probe.head(), probe.measure(subject, settings.starts())));
    }
  }
}
