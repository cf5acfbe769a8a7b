package dev.gossamer.video;

/** Whether large frames are decoded in overlapping tiles: less memory, slightly other pixels. */
public enum Tiles {
  OFF,
  ON
}
