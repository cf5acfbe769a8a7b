/**
 * Starts the ranks of one machine and answers for them. {@link
 * dev.gossamer.distributed.launch.Launcher} starts what a {@link
 * dev.gossamer.distributed.launch.LaunchPlan} says, one process per rank, passes on their output
 * line by line, and ends when they end: all of them, the first that fails, the time allowed, or a
 * signal. A {@link dev.gossamer.distributed.launch.Warden} sees to it that none outlives the
 * launcher, however that ends. Needs a system with {@code /bin/sh}.
 */
package dev.gossamer.distributed.launch;
