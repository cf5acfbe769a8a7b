/** Pictures of language models' training. */
package dev.gossamer.bench.lm;
