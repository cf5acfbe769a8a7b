/**
 * The methods that the paper compares with, as settings of the same engine. Each is one provider,
 * found by name.
 */
package dev.gossamer.attention.rivals;
