/**
 * Measures what the planner asks of a cluster, on the ranks that run it, and holds the planner
 * against measured layers. {@link dev.gossamer.bench.calibration.ClusterCalibration} measures a
 * {@link dev.gossamer.moe.plan.ClusterProfile}; read on in {@code LayerSample} and {@code
 * LinkSample}.
 */
package dev.gossamer.bench.calibration;
