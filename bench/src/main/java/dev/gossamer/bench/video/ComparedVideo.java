package dev.gossamer.bench.video;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/**
 * A sparse video against the dense one of the same noise; one line of the file that {@link
 * VideoQuality} keeps.
 *
 * @param made everything that decides both videos; a line of another run is not mistaken for this
 *     one
 * @param prompt what is drawn
 * @param attention as it was named, for example {@code default@.10}
 * @param density share of the query-key pairs that were computed, over all calls, dense steps and
 *     layers included
 * @param sparseDensity the same over the calls that were clustered
 * @param pseudoKeys further share spent on the tail, over the calls that were clustered
 * @param psnr dB, mean over frames
 * @param ssim mean over frames
 * @param psnrUint8Wrap what comes out with subtraction in 8 bits; for comparison with the paper
 *     only
 * @param worstFramePsnr dB
 * @param attentionSeconds in self-attention
 * @param seconds of the whole
 */
@JsonPropertyOrder({"prompt", "attention", "psnr", "ssim"})
record ComparedVideo(
    String made,
    String prompt,
    String attention,
    double density,
    double sparseDensity,
    double pseudoKeys,
    double psnr,
    double ssim,
    double psnrUint8Wrap,
    double worstFramePsnr,
    double attentionSeconds,
    double seconds) {}
