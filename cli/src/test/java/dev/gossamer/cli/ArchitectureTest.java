package dev.gossamer.cli;

import static com.tngtech.archunit.lang.conditions.ArchConditions.be;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.GeneralCodingRules.NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Holds the arrows between modules, the doors to native code, and the rules for names. */
@AnalyzeClasses(packages = "dev.gossamer", importOptions = ArchitectureTest.MainOnly.class)
class ArchitectureTest {
  private static final String ROOT = "dev.gossamer.";

  /** Each module, and which of our other modules it may know. */
  private static final Map<String, Set<String>> ARROWS =
      Map.of(
          "tensor", Set.of(),
          "attention", Set.of("tensor"),
          "video", Set.of("tensor", "attention"),
          "mini", Set.of(),
          "distributed", Set.of("tensor"),
          "moe", Set.of("tensor", "distributed"),
          "lm", Set.of("tensor", "distributed", "moe"),
          "bench", Set.of("tensor", "attention", "video", "mini", "distributed", "moe", "lm"),
          "cli",
              Set.of("tensor", "attention", "video", "mini", "distributed", "moe", "lm", "bench"));

  /** Our own classes without those of tests, whether in folders or in jars. */
  static final class MainOnly implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/") && !location.contains("-tests.jar");
    }
  }

  @ArchTest
  static final ArchRule onlyTheDoorsSpeakToNativeCode =
      noClasses()
          .that()
          .resideOutsideOfPackages(
              // libtorch, and CUDA below it: one place decides threads, boot and memory
              "dev.gossamer.tensor.libtorch..",
              // Gloo and NCCL: one place knows their stores, groups and work handles
              "dev.gossamer.distributed.c10d..",
              // ffmpeg: one place knows its manual memory
              "dev.gossamer.video.media..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.bytedeco..");

  @ArchTest
  static final ArchRule onlyOnePackageTouchesTheVectorModule =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.gossamer.attention.vector..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("jdk.incubator..");

  @ArchTest
  static final ArchRule packagesHaveNoCycles =
      slices().matching("dev.gossamer.(**)").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule onlyTheCommandsPrint =
      noClasses()
          .that()
          .resideOutsideOfPackages("dev.gossamer.cli..", "dev.gossamer.bench..")
          .should(ACCESS_STANDARD_STREAMS);

  @ArchTest static final ArchRule oneKindOfLogging = NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING;

  @ArchTest
  static final ArchRule nothingSleeps =
      noClasses().should().callMethod(Thread.class, "sleep", long.class);

  @ArchTest
  static final ArchRule namesSayWhatAThingIs =
      noClasses()
          .should(
              be(
                  holdingAnEmptyWord(
                      "Impl",
                      "Manager",
                      "Util",
                      "Utils",
                      "Helper",
                      "Base",
                      "Abstract",
                      "Data",
                      "Info",
                      "Processor")));

  @ArchTest
  static final ArchRule publicFieldsAreConstants = fields().that().arePublic().should().beFinal();

  @TestFactory
  Stream<DynamicTest> modulesKnowOnlyWhatTheyMay() {
    JavaClasses classes =
        new ClassFileImporter(List.of(new MainOnly())).importPackages("dev.gossamer");
    return ARROWS.entrySet().stream()
        .map(
            arrow -> {
              String[] forbidden =
                  ARROWS.keySet().stream()
                      .filter(module -> !module.equals(arrow.getKey()))
                      .filter(module -> !arrow.getValue().contains(module))
                      .map(module -> ROOT + module + "..")
                      .toArray(String[]::new);
              return DynamicTest.dynamicTest(
                  arrow.getKey(),
                  () ->
                      noClasses()
                          .that()
                          .resideInAPackage(ROOT + arrow.getKey() + "..")
                          .should()
                          .dependOnClassesThat()
                          .resideInAnyPackage(forbidden)
                          .check(classes));
            });
  }

  @Test
  void everyModuleHasItsArrows() throws IOException {
    try (Stream<Path> folders = Files.list(projectRoot())) {
      assertThat(
              folders
                  .filter(folder -> Files.isDirectory(folder.resolve("src/main/java")))
                  .map(folder -> folder.getFileName().toString()))
          .containsExactlyInAnyOrderElementsOf(ARROWS.keySet());
    }
  }

  @Test
  void everyPackageSaysWhatItIsFor() throws IOException {
    Set<Path> silent = new TreeSet<>();
    for (String module : ARROWS.keySet()) {
      try (Stream<Path> files =
          Files.walk(projectRoot().resolve(module).resolve("src/main/java"))) {
        files
            .filter(file -> file.toString().endsWith(".java"))
            .map(Path::getParent)
            .filter(folder -> !Files.exists(folder.resolve("package-info.java")))
            .forEach(silent::add);
      }
    }
    assertThat(silent).isEmpty();
  }

  private static Path projectRoot() {
    Path here = Path.of("").toAbsolutePath();
    return Files.isDirectory(here.resolve("cli")) ? here : here.getParent();
  }

  private static DescribedPredicate<JavaClass> holdingAnEmptyWord(String... words) {
    Set<String> empty = Set.of(words);
    return DescribedPredicate.describe(
        "named with one of " + new TreeSet<>(empty),
        type ->
            Arrays.stream(type.getSimpleName().split("(?<=[a-z0-9])(?=[A-Z])"))
                .anyMatch(empty::contains));
  }
}
