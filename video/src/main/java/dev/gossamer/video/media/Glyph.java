package dev.gossamer.video.media;

/**
 * The picture of one character.
 *
 * @param advance pixels from its start to that of the next character
 * @param left pixels from its start to its picture, may be negative
 * @param top rows from the top of the line to its picture
 * @param width pixels of the picture, 0 for a space
 * @param height rows of the picture
 * @param cover [height, width], how much of each pixel it covers, 0..255 unsigned
 */
record Glyph(int advance, int left, int top, int width, int height, byte[] cover) {}
