/**
 * The command line. {@link dev.gossamer.cli.Gossamer} parses; each command is one class that hands
 * its options to the library and prints what comes back.
 */
package dev.gossamer.cli;
