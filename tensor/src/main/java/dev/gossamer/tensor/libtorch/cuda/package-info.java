/**
 * The door to CUDA below libtorch: {@link dev.gossamer.tensor.libtorch.cuda.KernelCompiler} makes
 * machine code of CUDA C++, {@link dev.gossamer.tensor.libtorch.cuda.KernelCache} keeps it on disk,
 * {@link dev.gossamer.tensor.libtorch.cuda.KernelModule} runs it on libtorch's current stream,
 * {@link dev.gossamer.tensor.libtorch.cuda.CudaCard} knows the card. Addresses and numbers only:
 * not an API, use {@code dev.gossamer.tensor.cuda}.
 */
package dev.gossamer.tensor.libtorch.cuda;
