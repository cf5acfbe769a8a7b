/** Released models by their shapes alone: folders as people have them, with random weights. */
package dev.gossamer.bench.shapes;
