/**
 * Mixtures of experts: BigMac, which narrows tokens before they travel and widens them after,
 * beside the structures that it replaces.
 */
package dev.gossamer.moe;
