/** Gossamer's cli module. */
package dev.gossamer.cli;
