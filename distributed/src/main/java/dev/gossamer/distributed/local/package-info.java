/**
 * Ranks as threads of one process: for tests, for {@code --simulate}, and where Gloo is missing.
 */
package dev.gossamer.distributed.local;
