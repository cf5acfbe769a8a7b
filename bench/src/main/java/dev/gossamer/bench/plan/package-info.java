/**
 * How a plan of {@link dev.gossamer.moe.plan} is shown: tables for a terminal and a chart. Nothing
 * is measured here.
 */
package dev.gossamer.bench.plan;
