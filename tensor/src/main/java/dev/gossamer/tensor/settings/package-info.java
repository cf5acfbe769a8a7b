/** Settings that people write: JSON objects with known keys, words for closed choices. */
package dev.gossamer.tensor.settings;
