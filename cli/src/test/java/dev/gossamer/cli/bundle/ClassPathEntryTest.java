package dev.gossamer.cli.bundle;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClassPathEntryTest {
  private static final Predicate<String> NOTHING = name -> false;

  @TempDir Path temp;

  private Path target;

  @BeforeEach
  void makeTarget() throws IOException {
    target = Files.createDirectory(temp.resolve("cp"));
  }

  @Test
  void aJarKeepsNativeLibrariesOfLinuxOnly() throws IOException {
    String[] kept = {
      "META-INF/MANIFEST.MF",
      "a/A.class",
      "a/model.safetensors",
      "native/lib/linux-x86_64/cpu/libtokenizers.so",
      "org/jline/nativ/Linux/x86_64/libjlinenative.so",
      "com/sun/jna/linux-x86-64/libjnidispatch.so",
    };
    String[] left = {
      "native/lib/win-x86_64/cpu/tokenizers.dll",
      "native/lib/linux-aarch64/cpu/libtokenizers.so",
      "org/jline/nativ/Mac/arm64/libjlinenative.jnilib",
      "com/sun/jna/aix-ppc/libjnidispatch.a",
      "org/bytedeco/ffmpeg/linux-x86_64/libavutil.so.60",
      "org/bytedeco/ffmpeg/linux-x86_64/ffmpeg",
      "org/bytedeco/pytorch/linux-x86_64-gpu/libtorch_cuda.so",
    };
    new ClassPathEntry(jar(Stream.concat(Stream.of(kept), Stream.of(left)).toList()))
        .copyInto(target, NOTHING);
    assertThat(names(target.resolve("a.jar"))).containsExactly(kept);
  }

  @Test
  void aJarOfNativeLibrariesIsLeftOut() throws IOException {
    String module = "META-INF/versions/9/module-info.class";
    new ClassPathEntry(jar(List.of(module, "org/bytedeco/x/linux-x86_64/libx.so")))
        .copyInto(target, NOTHING);
    assertThat(target).isEmptyDirectory();
  }

  @Test
  void unwantedEntriesAreLeftOut() throws IOException {
    new ClassPathEntry(jar(List.of("a/A.class", "b/B.class")))
        .copyInto(target, "b/B.class"::equals);
    assertThat(names(target.resolve("a.jar"))).containsExactly("a/A.class");
  }

  @Test
  void aFolderBecomesAJar() throws IOException {
    Path classes = Files.createDirectories(temp.resolve("target/classes"));
    Files.writeString(Files.createDirectories(classes.resolve("a")).resolve("A.class"), "code");
    new ClassPathEntry(classes).copyInto(target, NOTHING);
    try (Stream<Path> jars = Files.list(target)) {
      assertThat(jars)
          .singleElement()
          .satisfies(jar -> assertThat(names(jar)).contains("a/A.class"));
    }
  }

  @Test
  void whatIsNotThereIsNothing() throws IOException {
    new ClassPathEntry(temp.resolve("absent.jar")).copyInto(target, NOTHING);
    assertThat(target).isEmptyDirectory();
  }

  private Path jar(List<String> names) throws IOException {
    Path jar = temp.resolve("a.jar");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
      for (String name : names) {
        out.putNextEntry(new ZipEntry(name));
        out.write(name.getBytes());
        out.closeEntry();
      }
    }
    return jar;
  }

  private static List<String> names(Path jar) throws IOException {
    try (ZipFile file = new ZipFile(jar.toFile())) {
      return file.stream().map(ZipEntry::getName).map(String::valueOf).toList();
    }
  }
}
