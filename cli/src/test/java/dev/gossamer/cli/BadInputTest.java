package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every bad input costs one line and the right exit code, and leaves nothing behind. */
class BadInputTest {
  @TempDir Path temp;

  @Test
  void aMissingModel() throws IOException {
    refused(3, "no such folder", generate(temp.resolve("absent")));
    refused(3, "model_index.json", generate(Files.createDirectory(temp.resolve("empty"))));
  }

  @Test
  void truncatedWeights() throws IOException {
    for (String file :
        List.of(TinyCheckpoint.TRANSFORMER, TinyCheckpoint.VAE, TinyCheckpoint.TEXT)) {
      Path model = copy(file);
      TinyCheckpoint.truncate(model.resolve(file), 100);
      refused(3, "truncated", generate(model));
    }
  }

  @Test
  void weightsOfAnotherShape() throws IOException {
    Path model = copy("shape");
    TinyCheckpoint.replace(
        model.resolve("transformer/config.json"), "\"ffn_dim\": 96", "\"ffn_dim\": 112");
    refused(3, "expected [112, 48]", generate(model));
  }

  @Test
  void weightsThatAreNotNumbers() throws IOException {
    String[][] tensors = {
      {TinyCheckpoint.TRANSFORMER, "proj_out.weight"},
      {TinyCheckpoint.TEXT, "encoder.final_layer_norm.weight"},
      {TinyCheckpoint.VAE, "decoder.conv_out.weight"},
    };
    for (String[] tensor : tensors) {
      Path model = copy(tensor[1]);
      TinyCheckpoint.poison(model.resolve(tensor[0]), tensor[1]);
      refused(3, "'" + tensor[1] + "'", generate(model));
    }
  }

  @Test
  void valuesThatDoNotFit() throws IOException {
    String[][] wrong = {
      {"--frames", "10", "Use 9 or 13"},
      {"--frames", "0", "frames"},
      {"--size", "50x32", "Use 48 or 64"},
      {"--size", "0x32", "width"},
      {"--steps", "0", "steps"},
      {"--guidance", "-1", "Guidance"},
      {"--guidance", "NaN", "Guidance"},
      {"--dtype", "int8", "Use fp32, bf16 or fp16"},
      {"--dtype", "fp16", "fp16 on a processor"},
      {"--device", "gpu", "Use cpu, cuda or cuda:N"},
      {"--threads", "0", "0 threads"},
      {"--residency", "often", "Use auto, keep, staged"},
      {"--attention", "sparse", "Use one of: "},
      {"--density", "1.5", "density is 1.5"},
      {"--explain", "-1", "no step -1"},
      {"--explain", "3", "3"},
    };
    for (String[] option : wrong) {
      refused(2, option[2], generate(TinyCheckpoint.folder(), option[0], option[1]));
    }
    refused(
        2,
        "has no preset",
        generate(TinyCheckpoint.folder(), "--attention", "dense", "--preset", "x"));
    refused(
        2,
        "has no setting 'kq'",
        generate(TinyCheckpoint.folder(), "--attention", "dense", "--attn.kq=65"));
    refused(2, "prompt is empty", CommandRun.of("generate", " ", "--out", "" + out()));
    refused(2, "nothing to draw", CommandRun.of("generate"));
    refused(
        2,
        "'--model': it is empty; name a path",
        CommandRun.of("generate", "a cat", "--model", ""));
    refused(2, "it is empty", CommandRun.of("generate", "a cat", "--out", ""));
    refused(2, "named .mp4", CommandRun.of("generate", "a cat", "--out", "cat.avi"));
    refused(
        4, "there is no folder", CommandRun.of("generate", "a cat", "--out", temp + "/none/new/"));
  }

  @Test
  void aDeviceThatIsNotThere() throws IOException {
    refused(4, "CUDA", generate(TinyCheckpoint.folder(), "--device", "cuda"));
  }

  @Test
  void filesThatCannotBeReadOrWritten() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "no safetensors");
    refused(3, "" + file, generate(TinyCheckpoint.folder(), "--noise", "" + file));
    refused(
        3,
        "no such file. Check its name",
        generate(TinyCheckpoint.folder(), "--noise", "" + temp.resolve("no")));
    refused(
        4,
        "Cannot write into",
        CommandRun.of(TinyCheckpoint.generate(TinyCheckpoint.folder(), file.resolve("cat.mp4"))));
    refused(
        4,
        "Cannot write into",
        generate(TinyCheckpoint.folder(), "--save-frames", "" + file.resolve("f")));
    refused(3, "no such file", CommandRun.of("decode", "" + temp.resolve("absent.safetensors")));
    refused(3, "" + file, CommandRun.of("decode", "" + file, "--out", "" + out()));
    refused(3, "no such file", CommandRun.of("replay", "" + temp.resolve("absent.json")));
    refused(3, "" + file, CommandRun.of("replay", "" + file));
    refused(3, "it is a folder. Name the .json", CommandRun.of("replay", "" + temp));
    refused(3, "it is a folder", CommandRun.of("decode", "" + temp));
    refused(3, "it is a folder", CommandRun.of("generate", "--prompts", "" + temp));
    refused(
        3, "no such file", CommandRun.of("generate", "--prompts", "" + temp.resolve("absent.txt")));
  }

  @Test
  void outputsThatWouldReplaceEachOtherOrADevice() throws IOException {
    Path model = TinyCheckpoint.folder();
    String video = out().toString();
    refused(2, "two things into " + video, generate(model, "--save-frames=" + video));
    String same = temp.resolve("same").toString();
    refused(
        2, "two things into", generate(model, "--save-frames=" + same, "--save-latents=" + same));
    refused(4, "it is a folder", generate(model, "--save-latents=" + temp));
    if (Files.exists(Path.of("/dev/null"))) {
      refused(4, "it is a device or a pipe", generate(model, "--save-latents=/dev/null"));
    }
  }

  @Test
  void whatIsWrongWithEveryPromptCostsOneLine() throws IOException {
    Path prompts = Files.writeString(temp.resolve("prompts.txt"), "a cat\na dog\n");
    refused(
        2,
        "Use 48 or 64",
        CommandRun.of(
            "generate", "--prompts=" + prompts, "--size=50x32", "--out=" + temp.resolve("out")));
  }

  private Path copy(String name) throws IOException {
    return TinyCheckpoint.copyTo(temp.resolve("model-" + name.replace('/', '-')));
  }

  private Path out() {
    return temp.resolve("out/cat.mp4");
  }

  private CommandRun generate(Path model, String... more) {
    return CommandRun.of(TinyCheckpoint.generate(model, out(), more));
  }

  private void refused(int exitCode, String because, CommandRun run) throws IOException {
    assertThat(run.err()).contains(because).matches("gossamer: .+\\R");
    assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
    assertThat(run.out()).isEmpty();
    if (Files.isDirectory(out().getParent())) {
      try (Stream<Path> left = Files.list(out().getParent())) {
        assertThat(left).isEmpty();
      }
    }
  }
}
