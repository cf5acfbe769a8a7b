package dev.gossamer.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A server as a person starts and stops it. */
@Tag("slow")
class ServeCommandTest {
  @TempDir private static Path folder;
  private static Path model;

  @BeforeAll
  static void train() {
    model = folder.resolve("small");
    CommandRun trained =
        CommandRun.of(
            "train",
            "--preset",
            "tiny",
            "--out",
            model.toString(),
            "--steps",
            "1",
            "--batch",
            "1",
            "--micro-batch",
            "1",
            "--sequence",
            "16",
            "--model.hidden=16",
            "--model.heads=2",
            "--model.experts.latent=4",
            "--evaluation.windows=1",
            "--threads",
            "1",
            "--no-chart");
    assertThat(trained.exitCode()).as(trained.err()).isZero();
  }

  private static HttpResponse<String> ask(String url, String token, String body)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + "/completions"))
            .header("Authorization", "Bearer " + token)
            .POST(BodyPublishers.ofString(body))
            .build();
    return HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
  }

  @Test
  void printsItsAddressAndAnswersUntilItIsStopped() throws Exception {
    Path token = folder.resolve("token");
    Files.writeString(token, "secret\n");
    StartedServer server =
        StartedServer.with("--model", model.toString(), "--token-file", token.toString());
    String url = server.url();
    assertThat(url).matches("http://127\\.0\\.0\\.1:[0-9]+/v1");
    String body = "{\"model\": \"small\", \"prompt\": \"The sea\", \"max_tokens\": 3}";
    assertThat(ask(url, "secret", body).statusCode()).isEqualTo(200);
    assertThat(ask(url, "other", body).statusCode()).isEqualTo(401);
    assertThat(server.stop())
        .contains("Serving small: context 128, batch 8, queue 64, cache 1,024 tokens")
        .endsWith("gossamer: Stopped" + System.lineSeparator());
  }

  @Test
  void theModelThatShipsInsideHasANameOfItsOwn() throws Exception {
    StartedServer server = StartedServer.with();
    HttpRequest models = HttpRequest.newBuilder(URI.create(server.url() + "/models")).build();
    assertThat(HttpClient.newHttpClient().send(models, BodyHandlers.ofString()).body())
        .contains("\"id\":\"gossamer-mini\"");
    String body = "{\"model\": \"gossamer-mini\", \"prompt\": \"The sea\", \"max_tokens\": 3}";
    assertThat(ask(server.url(), "any", body).statusCode()).isEqualTo(200);
    assertThat(server.stop()).contains("Serving gossamer-mini: context 256");
  }

  /** Several at once, greedily. */
  private static List<String> answers(String url) {
    HttpClient client = HttpClient.newHttpClient();
    return IntStream.range(0, 6)
        .mapToObj(
            i ->
                HttpRequest.newBuilder(URI.create(url + "/completions"))
                    .POST(
                        BodyPublishers.ofString(
                            "{\"prompt\": \"The sea and %d\", \"max_tokens\": %d,"
                                    .formatted(i, 6 + 3 * i)
                                + " \"temperature\": 0, \"ignore_eos\": true}"))
                    .build())
        .map(request -> client.sendAsync(request, BodyHandlers.ofString()))
        .toList()
        .stream()
        .map(answer -> text(answer.join().body()))
        .toList();
  }

  private static String text(String body) {
    int from = body.indexOf("\"text\":");
    assertThat(from).as(body).isPositive();
    return body.substring(from, body.indexOf(",\"logprobs\""));
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4})
  void severalRanksAnswerAsOneDoes(int ranks) throws Exception {
    StartedServer one = StartedServer.with();
    List<String> expected = answers(one.url());
    one.stop();
    StartedServer several = StartedServer.with("--simulate", "" + ranks);
    assertThat(answers(several.url())).isEqualTo(expected);
    assertThat(several.stop())
        .contains("Serving gossamer-mini with the experts of " + ranks + " ranks")
        .endsWith("gossamer: Stopped" + System.lineSeparator());
  }

  @Test
  void badOptionsAreRefusedBeforeTheRanksMeet() {
    for (String option : List.of("--batch=0", "--queue=-1", "--port=70000", "--grace=51")) {
      CommandRun run = CommandRun.of("serve", "--simulate", "2", option);
      assertThat(run.exitCode()).as(run.err()).isEqualTo(FailureLine.USAGE);
      assertThat(run.err()).matches("gossamer: .+\\R");
    }
  }

  private static List<String> java(String... words) {
    return Stream.concat(
            Stream.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-cp",
                System.getProperty("java.class.path"),
                Gossamer.class.getName()),
            Stream.of(words))
        .toList();
  }

  /** Reads until the address comes, behind the rank's mark if there is one. */
  private static String address(Process process) throws IOException {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.contains("http://")) {
        return line.substring(line.indexOf("http://"));
      }
    }
    throw new IllegalStateException("The server ended before it had an address");
  }

  private Process launch(Path err, String... options) throws IOException {
    List<String> words =
        new ArrayList<>(
            java("launch", "--nproc", "2", "--", "serve", "--model", "" + model, "--port=0"));
    words.addAll(List.of(options));
    return new ProcessBuilder(words).redirectError(err.toFile()).start();
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void processesServeTogetherUntilASignalEndsThem() throws Exception {
    StartedServer one = StartedServer.with("--model", model.toString());
    List<String> expected = answers(one.url());
    one.stop();
    Path err = folder.resolve("launched.txt");
    Process launcher = launch(err);
    try {
      assertThat(answers(address(launcher))).isEqualTo(expected);
      List<ProcessHandle> all = launcher.descendants().toList();
      launcher.destroy(); // SIGTERM
      assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(launcher.exitValue()).as(Files.readString(err)).isEqualTo(130);
      assertThat(Files.readString(err))
          .contains("[0] gossamer: Stopped" + System.lineSeparator())
          .doesNotContain("[1] gossamer:");
      for (ProcessHandle process : all) {
        process.onExit().get(60, TimeUnit.SECONDS);
      }
    } finally {
      launcher.destroyForcibly();
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aRankThatIsKilledEndsTheServer() throws Exception {
    Path err = folder.resolve("killed.txt");
    Process launcher = launch(err);
    try {
      address(launcher);
      launcher
          .descendants()
          .filter(process -> process.info().command().orElse("").endsWith("java"))
          .filter(process -> isRank(process, 1))
          .findFirst()
          .orElseThrow()
          .destroyForcibly();
      assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(launcher.exitValue()).as(Files.readString(err)).isEqualTo(128 + 9);
      assertThat(Files.readString(err)).contains("gossamer: Rank 1 failed first, ended by SIGKILL");
    } finally {
      launcher.destroyForcibly();
    }
  }

  private static boolean isRank(ProcessHandle process, int number) {
    try {
      return Files.readString(Path.of("/proc/" + process.pid() + "/environ"))
          .contains("\0RANK=" + number + "\0");
    } catch (IOException e) {
      return false;
    }
  }

  @ParameterizedTest
  @CsvSource({
    "20, 'Use launch --grace 23, or less here'",
    "40, Use launch --grace 30 and at most 27 here"
  })
  @EnabledOnOs(OS.LINUX)
  void moreGraceThanLaunchGivesIsRefused(int grace, String remedy) throws Exception {
    Path err = folder.resolve("grace.txt");
    Process launcher = launch(err, "--grace=" + grace);
    assertThat(launcher.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(launcher.exitValue()).isEqualTo(FailureLine.USAGE);
    assertThat(Files.readString(err)).contains(remedy);
  }

  @Test
  void aGraceThatIsNoNumberIsNamed() throws Exception {
    Path err = folder.resolve("grace.txt");
    ProcessBuilder builder = new ProcessBuilder(java("serve", "--model", model.toString()));
    builder.environment().put("GOSSAMER_GRACE", "soon");
    Process process = builder.redirectError(err.toFile()).start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(FailureLine.USAGE);
    assertThat(Files.readString(err)).contains("GOSSAMER_GRACE is 'soon'");
  }

  /** In a process of its own: the text that runs is finished, and the exit code is 130. */
  @Test
  @DisabledOnOs(OS.WINDOWS)
  void aSignalLetsTextsEnd() throws Exception {
    Path err = folder.resolve("err.txt");
    Process process =
        new ProcessBuilder(
                java("serve", "--model", model.toString(), "--port", "0", "--grace", "50"))
            .redirectError(err.toFile())
            .start();
    try {
      String url = address(process);
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(url + "/completions"))
              .POST(
                  BodyPublishers.ofString(
                      "{\"prompt\": \"a\", \"max_tokens\": 127, \"stream\": true,"
                          + " \"ignore_eos\": true}"))
              .build();
      HttpResponse<Stream<String>> response =
          HttpClient.newHttpClient().send(request, BodyHandlers.ofLines());
      process.destroy(); // SIGTERM, once the answer has begun
      List<String> lines = response.body().toList();
      assertThat(lines).contains("data: [DONE]");
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).as(Files.readString(err)).isEqualTo(130);
      assertThat(Files.readString(err)).endsWith("gossamer: Stopped" + System.lineSeparator());
    } finally {
      process.destroyForcibly();
    }
  }
}
