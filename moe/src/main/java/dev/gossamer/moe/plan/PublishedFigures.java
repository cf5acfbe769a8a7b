package dev.gossamer.moe.plan;

import dev.gossamer.tensor.settings.SettingsFile;

/**
 * The figures that BigMac (arXiv 2502.16927) published, from the resource {@code published.json}.
 * They are only ever compared with, or fitted to; no result is read from here.
 *
 * @param topK experts per token of Table 1, out of 64
 * @param trainingMillis all-to-all of a training iteration, ms
 * @param trainingShare its share of the iteration, percent
 * @param inferenceMillis all-to-all of inference, ms
 * @param inferenceShare its share, percent
 * @param parameters Table 4, fine-grained and BigMac, billions
 * @param moreParameters Table 4, percent
 * @param flops Table 4, fine-grained and BigMac, 10^12
 * @param moreFlops Table 4, percent
 * @param bytes Table 4, fine-grained and BigMac, GiB
 * @param generated tokens generated after the prompt in Table 9
 * @param table9Top8 speed-ups at top-8
 * @param table9Top4 speed-ups at top-4
 * @param figure4TopK experts per token of Figure 4
 * @param figure4EndToEnd speed-ups of an iteration
 * @param figure4AllToAll speed-ups of all-to-all alone
 * @param figure3Top4 least and largest speed-up over four models at top-4
 * @param figure3Top8 the same at top-8
 */
record PublishedFigures(
    double[] topK,
    double[] trainingMillis,
    double[] trainingShare,
    double[] inferenceMillis,
    double[] inferenceShare,
    double[] parameters,
    double moreParameters,
    double[] flops,
    double moreFlops,
    double[] bytes,
    double[] generated,
    double[] table9Top8,
    double[] table9Top4,
    double[] figure4TopK,
    double[] figure4EndToEnd,
    double[] figure4AllToAll,
    double[] figure3Top4,
    double[] figure3Top8) {
  static PublishedFigures read() {
    SettingsFile file = SettingsFile.resource(PublishedFigures.class, "published.json");
    SettingsFile table1 = file.part("table1");
    SettingsFile table4 = file.part("table4");
    SettingsFile table9 = file.part("table9");
    SettingsFile figure4 = file.part("figure4");
    SettingsFile figure3 = file.part("figure3");
    return new PublishedFigures(
        table1.reals("topK"),
        table1.reals("trainingMillis"),
        table1.reals("trainingSharePercent"),
        table1.reals("inferenceMillis"),
        table1.reals("inferenceSharePercent"),
        table4.reals("parametersBillion"),
        table4.real("parametersMorePercent"),
        table4.reals("teraFlops"),
        table4.real("teraFlopsMorePercent"),
        table4.reals("gibibytes"),
        table9.reals("generatedTokens"),
        table9.reals("top8"),
        table9.reals("top4"),
        figure4.reals("topK"),
        figure4.reals("endToEnd"),
        figure4.reals("allToAll"),
        figure3.reals("top4"),
        figure3.reals("top8"));
  }

  /** All-to-all of BigMac in a training iteration, from Table 1 and Figure 4, ms. */
  double bigMacMillis(int figure4Column) {
    for (int i = 0; i < topK.length; i++) {
      if (topK[i] == figure4TopK[figure4Column]) {
        return trainingMillis[i] / figure4AllToAll[figure4Column];
      }
    }
    throw new IllegalStateException("Figure 4 has a top-k that Table 1 does not have");
  }
}
