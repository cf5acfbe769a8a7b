/**
 * Models in HuggingFace's layout: which families are known ({@link
 * dev.gossamer.lm.huggingface.ModelFamily}), how their folders are read ({@link
 * dev.gossamer.lm.huggingface.ImportedFolder}) and written ({@link
 * dev.gossamer.lm.huggingface.NemotronExport}).
 */
package dev.gossamer.lm.huggingface;
