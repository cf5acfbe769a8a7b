/**
 * Ranks that compute together: who they are, how they start, and what they say to each other. A
 * layer above never knows whether ranks are threads, processes or cards.
 */
package dev.gossamer.distributed;
