/**
 * From text to training samples: documents of files ({@link dev.gossamer.lm.data.DocumentReader}),
 * tokenizers ({@link dev.gossamer.lm.data.TextTokenizer}), mapped token files ({@link
 * dev.gossamer.lm.data.TokenFile}) and the order in which they are read ({@link
 * dev.gossamer.lm.data.Samples}).
 */
package dev.gossamer.lm.data;
