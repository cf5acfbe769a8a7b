/**
 * Pictures and video files: how decoded frames leave the pipeline and how two videos compare.
 *
 * <p>Start at {@link dev.gossamer.video.media.Frames}, which makes 8-bit RGB out of decoded
 * tensors. {@link dev.gossamer.video.media.Mp4Writer} writes videos and {@link
 * dev.gossamer.video.media.VideoFile} reads them; {@link dev.gossamer.video.media.AnimatedPreview}
 * shows a video that is not finished yet. {@link dev.gossamer.video.media.ContactSheet}, {@link
 * dev.gossamer.video.media.SideBySide} and {@link dev.gossamer.video.media.ExplainSheet} draw
 * pictures of a run. {@link dev.gossamer.video.media.Psnr} and {@link
 * dev.gossamer.video.media.Ssim} compare two videos.
 *
 * <pre>{@code
 * Frames frames = Frames.ofDecoded(decoded); // [1, 3, frames, height, width], -1..1
 * try (Mp4Writer writer = Mp4Writer.open(path, frames.width(), frames.height(), 16)) {
 *   frames.forEach(writer::add);
 *   writer.finish();
 * }
 * }</pre>
 *
 * <p>This package is the door to ffmpeg: nothing else in the module imports it. Files appear under
 * their final name when they are complete. Sheets need neither fonts nor AWT.
 */
package dev.gossamer.video.media;
