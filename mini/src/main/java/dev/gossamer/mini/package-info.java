/**
 * The small text-to-video model that ships with Gossamer: its files are resources of this module,
 * {@link dev.gossamer.mini.MiniModel} finds them.
 *
 * <pre>{@code
 * Path checkpoint = MiniModel.folder();
 * }</pre>
 */
package dev.gossamer.mini;
