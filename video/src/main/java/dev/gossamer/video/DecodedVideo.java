package dev.gossamer.video;

import java.nio.file.Path;

/**
 * A video that was made from saved latents.
 *
 * @param video the video file
 * @param sheet its contact sheet
 * @param frames number of frames
 * @param width pixels
 * @param height pixels
 * @param seconds that decoding and writing took, loading included
 * @param framesSha256 over the frames as 8-bit {@code [frames, height, width, 3]}
 */
public record DecodedVideo(
    Path video,
    Path sheet,
    int frames,
    int width,
    int height,
    double seconds,
    String framesSha256) {}
