package dev.gossamer.cli;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import dev.gossamer.video.Replay;
import dev.gossamer.video.RunFiles;
import dev.gossamer.video.RunOptions;
import dev.gossamer.video.TextToVideo;
import dev.gossamer.video.VideoRequest;
import dev.gossamer.video.VideoResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/**
 * The videos of a list of prompts, one after the other with one model: those that are there already
 * are left alone, one that fails does not stop the rest.
 *
 * @param interrupted whether to stop
 * @param printPaths whether each video's path goes to stdout as soon as it is made
 */
record PromptBatch(Terminal terminal, BooleanSupplier interrupted, boolean printPaths) {
  /**
   * What became of the prompts.
   *
   * @param made videos that were made now
   * @param kept videos that were there already
   * @param failed prompts that gave none, with the reason
   */
  record Outcome(List<VideoResult> made, List<Path> kept, Map<String, String> failed) {
    /** As a JSON document; each made video is its report. */
    Map<String, Object> document() {
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("made", made.stream().map(result -> Json.tree(result.report().json())).toList());
      document.put("kept", kept.stream().map(Path::toString).toList());
      document.put("failed", failed);
      return document;
    }

    /**
     * @throws GossamerException if a prompt failed
     */
    void requireAll() {
      if (!failed.isEmpty()) {
        throw new GossamerException(
            failed.size()
                + " of "
                + (made.size() + kept.size() + failed.size())
                + " prompts gave no video",
            "The same command again makes only these");
      }
    }
  }

  /**
   * @param request what to draw for a prompt
   * @param run how to write a video
   * @throws InterruptedRunException if it was interrupted; finished videos stay
   */
  Outcome make(
      TextToVideo model,
      PromptList list,
      Path folder,
      Function<String, VideoRequest> request,
      Function<Path, RunOptions> run) {
    Outcome outcome = new Outcome(new ArrayList<>(), new ArrayList<>(), new LinkedHashMap<>());
    int count = list.prompts().size();
    for (int i = 0; i < count; i++) {
      String prompt = list.prompts().get(i);
      String title = "[" + (i + 1) + "/" + count + "] " + Terminal.harmless(prompt);
      try {
        make(model, request.apply(prompt), run.apply(list.output(folder, i)), title, outcome);
      } catch (InterruptedRunException e) {
        throw e;
      } catch (RuntimeException e) {
        outcome.failed().put(prompt, FailureLine.message(e));
        terminal.err().println(title + ": failed. " + FailureLine.message(e));
      }
    }
    return outcome;
  }

  private void make(
      TextToVideo model, VideoRequest wanted, RunOptions run, String title, Outcome outcome) {
    if (isThere(model, wanted, run.files())) {
      terminal.err().println(title + ": is there already");
      outcome.kept().add(run.files().video());
      return;
    }
    terminal.err().println(title);
    VideoResult result = new Attempt(terminal, interrupted).make(model, wanted, run);
    outcome.made().add(result);
    if (printPaths) {
      terminal.out().println(result.files().video());
    }
  }

  /** Whether video and report are there and the report tells of this very request. */
  private static boolean isThere(TextToVideo model, VideoRequest wanted, RunFiles files) {
    if (!Files.isRegularFile(files.video()) || !Files.isRegularFile(files.report())) {
      return false;
    }
    try {
      Replay earlier = Replay.read(files.report());
      VideoRequest request = earlier.request();
      return request.withAttention(wanted.attention()).equals(wanted)
          && request.attention().name().equals(wanted.attention().name())
          && request.attention().settings().equals(wanted.attention().settings())
          && earlier.options().dtype() == model.options().dtype()
          && earlier.options().loras().equals(model.options().loras())
          && earlier.source().isSame(model.source());
    } catch (BadInputException e) {
      return false; // damaged, or of another version: made again
    }
  }
}
