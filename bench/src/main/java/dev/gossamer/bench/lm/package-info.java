/**
 * Pictures of language models' training, and {@link dev.gossamer.bench.lm.StructureComparison}: the
 * same training of several structures, with what the seeds say of their differences.
 */
package dev.gossamer.bench.lm;
