package dev.gossamer.attention;

/**
 * All self-attentions of one video, with whatever they keep from step to step. Closing it frees
 * that state. Different branches may be used by different threads at the same time, in the same
 * step.
 */
public interface AttentionSession extends AutoCloseable {
  /** The attention of one layer in one guidance branch; the same object at every call. */
  Attention attention(int layer, int branch);

  /** What was done so far. */
  AttentionReport report();

  @Override
  void close();
}
