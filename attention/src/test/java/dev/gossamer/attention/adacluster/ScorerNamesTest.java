package dev.gossamer.attention.adacluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.UsageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScorerNamesTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "expectedError",
        "queryMass",
        "tensorQuest",
        "centroidMass",
        "pseudoQuest",
        "queryMass(64)",
        "expectedError(all)"
      })
  void everyNameIsReadAsItIsWritten(String name) {
    assertThat(ClusterScorer.parse(name).name()).isEqualTo(name);
  }

  @Test
  void theUsualNumberOfQueriesGoesWithoutSaying() {
    assertThat(ClusterScorer.parse("querymass(16)")).isEqualTo(new QueryMass());
    assertThat(ClusterScorer.parse("queryMass(all)")).isEqualTo(new QueryMass(QueryMass.ALL));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "quest", "tensorQuest(64)", "queryMass()", "queryMass(0)"})
  void refusesWhatIsNoScorer(String name) {
    assertThatThrownBy(() -> ClusterScorer.parse(name)).isInstanceOf(UsageException.class);
  }
}
