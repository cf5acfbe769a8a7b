/** Gossamer's video module. */
package dev.gossamer.video;
