package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SelectionRuleTest {
  @Test
  void readsWhatPeopleType() {
    assertThat(SelectionRule.parse("budget(.1)")).isEqualTo(new SelectionRule.Budget(0.1));
    assertThat(SelectionRule.parse("topK(64)")).isEqualTo(new SelectionRule.TopClusters(64));
    assertThat(SelectionRule.parse("topK(.15)")).isEqualTo(new SelectionRule.TopShare(0.15));
    assertThat(SelectionRule.parse("mass(.9)")).isEqualTo(new SelectionRule.Mass(0.9, 0.1));
    assertThat(SelectionRule.parse("mass( .9, .2 )")).isEqualTo(new SelectionRule.Mass(0.9, 0.2));
    assertThat(SelectionRule.parse("budget(.15<8192, .1)"))
        .isEqualTo(new SelectionRule.Graded(List.of(8192), List.of(0.15, 0.1)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "budget(0.25)",
        "budget(1.0E-4)",
        "budget(0.25<40000,0.2<100000,0.12)",
        "topK(94)",
        "topK(1.0)",
        "topK(0.15)",
        "mass(0.9,0.1)",
        "mass(1.0,0.0)"
      })
  void printsWhatItReads(String text) {
    assertThat(SelectionRule.parse(text)).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "budget",
        "budget()",
        "budget(0)",
        "budget(1.5)",
        "budget(-.1)",
        "budget(.1,.2)",
        "budget(.1<,.2)",
        "budget(.1<100)",
        "budget(.2<8000,.1<4000,.05)",
        "budget(x<100,.1)",
        "topK(0)",
        "topK(-3)",
        "topK(1.5)",
        "topK(5,3)",
        "mass(0)",
        "mass(.9,2)",
        "mass(.9,.1,.1)",
        "budget(1e)",
        "everything"
      })
  void refusesAnythingElseInOneLine(String text) {
    assertThatThrownBy(() -> SelectionRule.parse(text))
        .isInstanceOf(UsageException.class)
        .hasMessageNotContaining("\n");
  }

  @Test
  void aGradedBudgetDependsOnTheLengthOfTheSequence() {
    SelectionRule graded = SelectionRule.parse("budget(.25<40000,.2<100000,.12)");
    assertThat(graded.forTokens(1)).isEqualTo(new SelectionRule.Budget(0.25));
    assertThat(graded.forTokens(39_999)).isEqualTo(new SelectionRule.Budget(0.25));
    assertThat(graded.forTokens(40_000)).isEqualTo(new SelectionRule.Budget(0.2));
    assertThat(graded.forTokens(100_000)).isEqualTo(new SelectionRule.Budget(0.12));
  }

  @Test
  void otherRulesDoNotDependOnIt() {
    SelectionRule rule = new SelectionRule.TopClusters(3);
    assertThat(rule.forTokens(7)).isSameAs(rule);
  }
}
