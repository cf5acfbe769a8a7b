/**
 * The reproducible comparisons behind every figure in the documents. What all of them share is
 * here: {@link dev.gossamer.bench.TurnByTurn} measures, {@link dev.gossamer.bench.BenchReport}
 * tells. Read on in {@code attention} and {@code video}; {@code plan} only shows what was computed.
 */
package dev.gossamer.bench;
