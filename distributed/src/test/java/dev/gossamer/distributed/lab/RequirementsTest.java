package dev.gossamer.distributed.lab;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.EnvironmentException;
import org.junit.jupiter.api.Test;

/** Each thing that is missing, by name and with its remedy. */
class RequirementsTest {
  private static String status(int user, String rights) {
    return "Name:\tjava\nUid:\t0\t" + user + "\t0\t0\nCapEff:\t" + rights + "\n";
  }

  @Test
  void rootWithAllRightsIsEnough() {
    assertThatCode(() -> Requirements.requireRoot(status(0, "000001fffeffffff")))
        .doesNotThrowAnyException();
  }

  @Test
  void anyoneElseIsRefused() {
    assertThatThrownBy(() -> Requirements.requireRoot(status(1000, "0000000000000000")))
        .isInstanceOf(EnvironmentException.class)
        .hasMessage("A lab needs root, this is user 1000. Run it by sudo");
  }

  @Test
  void rootOfAContainerMayLackRights() {
    assertThatThrownBy(() -> Requirements.requireRoot(status(0, "00000000a80435fb")))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("CAP_SYS_ADMIN")
        .hasMessageContaining("--privileged");
  }

  @Test
  void aMissingProgramIsNamedWithItsPackage() {
    assertThatThrownBy(() -> Iproute.path("no-such-tc"))
        .isInstanceOf(EnvironmentException.class)
        .hasMessageContaining("no-such-tc of iproute2")
        .hasMessageContaining("Install");
  }
}
