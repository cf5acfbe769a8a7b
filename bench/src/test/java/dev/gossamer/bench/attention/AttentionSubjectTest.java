package dev.gossamer.bench.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AttentionSubjectTest {
  @Test
  void aPresetIsOneOfAdaCluster() {
    AttentionSubject subject = AttentionSubject.parse("paper@.25");
    assertThat(subject.method()).isEqualTo("adacluster");
    assertThat(subject.create().settings())
        .containsEntry("scorer", "tensorQuest")
        .containsEntry("rule", "budget(0.25)");
  }

  @Test
  void anyOtherNameIsAMethod() {
    assertThat(AttentionSubject.parse("svg2").create().name()).isEqualTo("svg2");
    assertThat(AttentionSubject.parse("dense").everywhere().create().settings()).isEmpty();
  }

  @Test
  void settingsFollowAPlus() {
    assertThat(AttentionSubject.parse("default@.1+kk=800+tail=off").create().settings())
        .containsEntry("kk", 800)
        .containsEntry("tail", "off");
  }

  @Test
  void commasInsideBracketsBelongToASetting() {
    assertThat(AttentionSubject.parseAll("default+rule=mass(.9,.1),sparge"))
        .extracting(AttentionSubject::label)
        .containsExactly("default+rule=mass(.9,.1)", "sparge");
  }

  @Test
  void everywhereLeavesNothingDense() {
    assertThat(AttentionSubject.parse("cluster").everywhere().create().settings())
        .containsEntry("denseSteps", 0.0)
        .containsEntry("denseLayers", "[]")
        .containsEntry("minTokens", 0);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "nothing", "paper@2", "paper@x", "paper@1.2.3", "default+kk", "a b"})
  void refusesWhatDoesNotExist(String text) {
    assertThatThrownBy(() -> AttentionSubject.parse(text)).isInstanceOf(UsageException.class);
  }
}
