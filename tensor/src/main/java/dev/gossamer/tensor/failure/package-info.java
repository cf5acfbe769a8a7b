/**
 * The one way to fail. Library code throws a {@link dev.gossamer.tensor.failure.GossamerException};
 * its kind decides the exit code of the command line.
 */
package dev.gossamer.tensor.failure;
