package dev.gossamer.tensor.text;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.gossamer.tensor.CudaSetup;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.failure.EnvironmentException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Opens tokenizers of HuggingFace's library; nothing is ever downloaded. */
public final class OfflineTokenizers {
  private static final Object LOADING = new Object();

  /** DJL's switches: no download, no report to its makers, the library for plain processors. */
  private static final Map<String, String> OFFLINE =
      Map.of("ai.djl.offline", "true", "OPT_OUT_TRACKING", "true", "RUST_FLAVOR", "cpu");

  private OfflineTokenizers() {}

  /**
   * @param file where the content comes from, for messages
   * @param json what a {@code tokenizer.json} holds
   * @throws BadInputException if the content is damaged
   * @throws EnvironmentException if the native library cannot be loaded on this machine
   */
  public static HuggingFaceTokenizer open(Path file, InputStream json) {
    try {
      return offline(json);
    } catch (EngineException | UnsatisfiedLinkError e) {
      throw new EnvironmentException(
          "Cannot load the tokenizers library: " + firstLine(e),
          "Check that the home or temporary folder is writable and this platform supported",
          e);
    } catch (IOException | RuntimeException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + firstLine(e), "Download the file again", e);
    }
  }

  /**
   * DJL looks for machine facts and newer libraries on the network unless told otherwise by system
   * properties; they are set for this call alone, as other users of DJL may want the opposite.
   */
  private static HuggingFaceTokenizer offline(InputStream json) throws IOException {
    synchronized (LOADING) {
      Map<String, String> before = new HashMap<>();
      switches().forEach((key, value) -> before.put(key, System.setProperty(key, value)));
      try {
        return HuggingFaceTokenizer.newInstance(
            json, Map.of("truncation", "do_not_truncate", "padding", "do_not_pad"));
      } finally {
        before.forEach(
            (key, value) -> {
              if (value == null) {
                System.clearProperty(key);
              } else {
                System.setProperty(key, value);
              }
            });
      }
    }
  }

  /**
   * DJL asks for cards by a CUDA library of its own finding. Where there is one it must do so in
   * another process: a second one in this would get the calls that libtorch means for the first.
   */
  private static Map<String, String> switches() {
    Map<String, String> switches = new HashMap<>(OFFLINE);
    if (CudaSetup.here().card()) {
      switches.put("ai.djl.util.cuda.fork", "true");
    }
    return switches;
  }

  private static String firstLine(Throwable failure) {
    return String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
  }
}
