/** HuggingFace's tokenizers, opened without the network. */
package dev.gossamer.tensor.text;
