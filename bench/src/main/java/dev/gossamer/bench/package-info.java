/** Gossamer's bench module. */
package dev.gossamer.bench;
