package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Parts of a model in files of their own, at the command. */
class PartArgumentsTest {
  @TempDir Path temp;

  private static String[] dryRun(String... more) {
    String[] command = TinyCheckpoint.generate(TinyCheckpoint.folder(), Path.of("x.mp4"), more);
    String[] dry = java.util.Arrays.copyOf(command, command.length + 1);
    dry[command.length] = "--dry-run";
    return dry;
  }

  @Test
  void aPartOfItsOwnTakesThePlaceOfTheModels() throws Exception {
    Path copy = TinyCheckpoint.copyTo(temp.resolve("copy"));
    Path file = copy.resolve(TinyCheckpoint.TRANSFORMER);
    assertThat(CommandRun.of(dryRun("--transformer", "" + file.getParent())).exitCode()).isZero();
    assertThat(CommandRun.of(dryRun("--vae", "" + copy.resolve("vae"))).exitCode()).isZero();
    CommandRun inspected =
        CommandRun.of(
            "models",
            "inspect",
            "" + TinyCheckpoint.folder(),
            "--tokenizer=" + copy.resolve("tokenizer"),
            "--vae=" + copy.resolve(TinyCheckpoint.VAE));
    assertThat(inspected.exitCode()).isZero();
    assertThat(inspected.out()).contains("where they lie", "" + copy.resolve(TinyCheckpoint.VAE));
  }

  @Test
  void wrongPartsCostOneLine() throws Exception {
    Path none = temp.resolve("none.safetensors");
    refused(3, "" + none, dryRun("--transformer", "" + none));
    Path text = Files.writeString(temp.resolve("text.safetensors"), "no weights");
    refused(3, "" + text, dryRun("--vae", "" + text));
    refused(2, "--transformer", "generate", "a cat", "--vae", "" + text);
    refused(3, "" + none, dryRun("--tokenizer", "" + none));
    refused(3, "has no text_encoder_2", dryRun("--text-encoder-2", "" + text));
    refused(3, "has no tokenizer_2", dryRun("--tokenizer-2", "" + text));
    Path pickle = Files.write(temp.resolve("model.pt"), new byte[] {'P', 'K', 3, 4, 20, 0, 0, 8});
    refused(3, "a pickle of PyTorch", dryRun("--transformer", "" + pickle));
  }

  @Test
  void severalLorasAndWaysToSaveMemoryAreTaken() throws Exception {
    Path none = temp.resolve("none.safetensors");
    refused(3, "" + none, dryRun("--lora", none + ":0.5", "--lora", "" + none));
    refused(2, "LoRA", dryRun("--lora", ""));
    assertThat(
            CommandRun.of(
                    dryRun("--offload", "blocks", "--prompt-cache", "" + temp.resolve("prompts")))
                .exitCode())
        .isZero();
    refused(2, "offload", dryRun("--offload", "all"));
    refused(2, "--prompt-cache is empty", dryRun("--prompt-cache", ""));
    refused(2, "takes no image", dryRun("--image", "" + image()));
    refused(3, "" + none, dryRun("--image", "" + none));
  }

  private Path image() {
    Path file = temp.resolve("grey.png");
    dev.gossamer.video.media.Png.write(
        file, new dev.gossamer.video.media.Frame(4, 4, new byte[48]));
    return file;
  }

  private static void refused(int code, String word, String... command) {
    CommandRun run = CommandRun.of(command);
    assertThat(run.exitCode()).isEqualTo(code);
    assertThat(run.err().lines()).hasSize(1);
    assertThat(run.err()).contains(word);
  }
}
