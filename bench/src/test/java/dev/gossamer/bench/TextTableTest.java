package dev.gossamer.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TextTableTest {
  private final TextTable table =
      new TextTable("method", "ms").row("dense", "108.1").row("cluster", "9.5");

  @Test
  void figuresLeanRightAndWordsLeft() {
    assertThat(table.plain())
        .isEqualTo(
            String.join(
                "\n",
                "method      ms", //
                "dense    108.1",
                "cluster    9.5"));
  }

  @Test
  void markdownSaysWhichColumnsAreFigures() {
    assertThat(table.markdown())
        .isEqualTo(
            String.join(
                "\n",
                "| method | ms |",
                "| --- | ---: |",
                "| dense | 108.1 |",
                "| cluster | 9.5 |",
                ""));
  }

  @Test
  void whatWasNotMeasuredIsADash() {
    assertThat(TextTable.figure(Double.NaN, 2)).isEqualTo("-");
    assertThat(TextTable.figure(2.345, 1)).isEqualTo("2.3");
  }

  @Test
  void refusesARowOfAnotherLength() {
    assertThatThrownBy(() -> table.row("three", "cells", "here"))
        .hasMessageContaining("3 cells under 2 columns");
  }
}
