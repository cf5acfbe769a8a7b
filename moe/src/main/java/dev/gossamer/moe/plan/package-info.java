/**
 * What a mixture of experts would cost on a cluster, without one: counts, wire traffic, time and
 * memory per rank, in plain arithmetic. Start with {@link dev.gossamer.moe.plan.PlanReport}; below
 * it {@link dev.gossamer.moe.plan.CostModel} gives the time of a step, {@link
 * dev.gossamer.moe.plan.WireTraffic} the rows that travel, {@link
 * dev.gossamer.moe.plan.TransformerCount} parameters and operations. {@link
 * dev.gossamer.moe.plan.PaperComparison} holds all of that against the published figures.
 *
 * <pre>{@code
 * ClusterProfile cluster = ClusterProfile.preset("h100-infiniband");
 * PlannedModel model = PlannedModel.preset("gpt3-xl").withTopK(4);
 * PlanSettings settings = PlanSettings.of(model, cluster).withRanks(64, model, cluster);
 * PlanReport report = PlanReport.of(model, cluster, settings);
 * System.out.println(report.verdict().text());
 * }</pre>
 */
package dev.gossamer.moe.plan;
