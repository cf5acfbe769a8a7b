/**
 * Pictures of language models' training; {@link dev.gossamer.bench.lm.StructureComparison}: the
 * same training of several structures, with what the seeds say of their differences; and {@link
 * dev.gossamer.bench.lm.LmBench}: how long their steps and texts take.
 */
package dev.gossamer.bench.lm;
