/**
 * A cluster with slow links on one Linux machine: a network namespace per node, a bridge between
 * them, and links whose rate the kernel shapes in both directions. {@link
 * dev.gossamer.distributed.lab.Lab} builds one from a {@link dev.gossamer.distributed.lab.LabPlan}
 * and is a {@link dev.gossamer.distributed.launch.Placement} for a launcher; {@link
 * dev.gossamer.distributed.lab.LabRun} is the whole of a run, {@link
 * dev.gossamer.distributed.lab.LinkMeasurement} measures what a link really carries, {@link
 * dev.gossamer.distributed.lab.LabCheck} says what this machine can do. Needs root and iproute2. A
 * {@link dev.gossamer.distributed.lab.Guard} sees to it that no namespace outlives its lab.
 *
 * <pre>{@code
 * LabPlan plan = new LabPlan(4, 2, LinkShape.of("100mbit"), Layout.NODES);
 * try (Lab lab = Lab.build(plan, () -> false)) {
 *   LaunchPlan ranks = LaunchPlan.of(List.of("sh", "-c", "ip -br addr"), lab);
 *   new Launcher(ranks, out, err, () -> false).run();
 * }
 * }</pre>
 */
package dev.gossamer.distributed.lab;
