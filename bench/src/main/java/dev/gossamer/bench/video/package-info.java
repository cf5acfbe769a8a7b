/**
 * Whole videos: {@link dev.gossamer.bench.video.GenerateBench} for how long they take, {@link
 * dev.gossamer.bench.video.VideoQuality} for how far sparse attention moves them from dense.
 */
package dev.gossamer.bench.video;
