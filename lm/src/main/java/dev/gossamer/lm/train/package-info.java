/**
 * Training of language models on one or many ranks: what a run is ({@link
 * dev.gossamer.lm.train.TrainSettings}), how it goes ({@link dev.gossamer.lm.train.Trainer}), and
 * how it is heard of ({@link dev.gossamer.lm.train.TrainProgress}).
 */
package dev.gossamer.lm.train;
