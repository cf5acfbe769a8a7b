/** Writing files that are whole or absent. */
package dev.gossamer.tensor.files;
