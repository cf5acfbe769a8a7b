/** Gossamer's mini module. */
package dev.gossamer.mini;
