/**
 * The reproducible comparisons behind every figure in the documents; each is a {@link
 * dev.gossamer.bench.Benchmark} of the command line.
 */
package dev.gossamer.bench;
