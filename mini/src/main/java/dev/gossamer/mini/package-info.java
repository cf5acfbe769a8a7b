/**
 * The small models that ship with Gossamer, one that makes videos and one that writes: their files
 * are resources of this module, {@link dev.gossamer.mini.MiniModel} and {@link
 * dev.gossamer.mini.MiniLanguageModel} find them.
 *
 * <pre>{@code
 * Path video = MiniModel.folder();
 * Path language = MiniLanguageModel.folder();
 * }</pre>
 */
package dev.gossamer.mini;
