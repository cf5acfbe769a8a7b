/**
 * The door to libtorch: the only package of this module that knows the bindings. {@link
 * dev.gossamer.tensor.libtorch.Libtorch} loads and sets up, {@link
 * dev.gossamer.tensor.libtorch.TorchTensor} calls. Not an API: use {@code dev.gossamer.tensor}.
 */
package dev.gossamer.tensor.libtorch;
