/**
 * A model for many at once. {@link dev.gossamer.lm.serve.Engine} continues texts together, each
 * from the moment when it comes; {@link dev.gossamer.lm.serve.ModelServer} offers that over HTTP as
 * OpenAI's interface describes it. Read {@code Engine}, then {@code Order} (what a request asks
 * for), {@code Answer} (what it gets) and {@code ModelServer}.
 */
package dev.gossamer.lm.serve;
