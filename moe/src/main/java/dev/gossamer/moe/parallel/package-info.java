/** Experts spread over ranks: which rank holds which, and how rows get there and back. */
package dev.gossamer.moe.parallel;
