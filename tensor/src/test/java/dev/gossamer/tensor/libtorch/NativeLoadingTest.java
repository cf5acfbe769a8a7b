package dev.gossamer.tensor.libtorch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

class NativeLoadingTest {
  private static final String EXTENSION = "org.bytedeco.javacpp.platform.extension";

  @Test
  void aProgramKeepsTheBuildsOfItsOwnBindings() throws IOException, InterruptedException {
    assertThat(OwnProcess.run(AsLibrary.class)).isEqualTo("null");
  }

  @Test
  void aCommandLooksForNoOtherBuilds() throws IOException, InterruptedException {
    boolean needed = CudaBindings.inJars() || InstalledLibtorch.find().isPresent();
    assertThat(OwnProcess.run(AsCommand.class)).isEqualTo(needed ? "null" : "");
  }

  @Test
  void aCommandLeavesWhatItsUserSet() throws IOException, InterruptedException {
    assertThat(OwnProcess.run(AsCommand.class, "-D" + EXTENSION + "=-gpu")).isEqualTo("-gpu");
  }

  static final class AsLibrary {
    private AsLibrary() {}

    public static void main(String[] args) {
      Libtorch.boot();
      System.out.println(System.getProperty(EXTENSION));
    }
  }

  static final class AsCommand {
    private AsCommand() {}

    public static void main(String[] args) {
      NativeLoading.ownProcess();
      NativeLoading.prepare();
      System.out.println(System.getProperty(EXTENSION));
    }
  }
}
