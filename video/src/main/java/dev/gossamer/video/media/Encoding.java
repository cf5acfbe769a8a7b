package dev.gossamer.video.media;

import java.util.List;
import java.util.Map;

/**
 * How ffmpeg is to write a file of moving pictures.
 *
 * @param muxer the container, by ffmpeg's name
 * @param muxerOptions the container's options
 * @param encoder by ffmpeg's name
 * @param encoderOptions the encoder's options, from the best quality to the coarsest: the next ones
 *     are taken when the encoder gives up on a frame
 * @param matrix of luma and chroma, as {@code AVCOL_SPC_} and {@code SWS_CS_} number it alike
 * @param metadata notes in the file's header
 * @param width pixels of the pictures in the file, even
 * @param height rows of the pictures in the file, even
 * @param framesPerSecond pictures per second
 */
record Encoding(
    String muxer,
    Map<String, String> muxerOptions,
    String encoder,
    List<Map<String, String>> encoderOptions,
    int matrix,
    Map<String, String> metadata,
    int width,
    int height,
    double framesPerSecond) {}
