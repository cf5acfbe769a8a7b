package dev.gossamer.video.wan;

import dev.gossamer.tensor.Scope;
import dev.gossamer.tensor.Tensor;

/**
 * Cross-attention of image-to-video: the same queries attend to the text and, on its own, to the
 * image; both results are added before the output projection.
 *
 * @param text keys and values of the prompt
 * @param image keys and values of the image, of the same layer
 */
record TextAndImage(ManyKeys text, ManyKeys image) implements TextAttention {
  @Override
  public Tensor apply(WanCrossAttention layer, Tensor rows) {
    Tensor query = text.query(layer, rows);
    return ManyKeys.output(layer, text.attend(query).add(image.attend(query)));
  }

  @Override
  public void keepIn(Scope scope) {
    text.keepIn(scope);
    image.keepIn(scope);
  }
}
