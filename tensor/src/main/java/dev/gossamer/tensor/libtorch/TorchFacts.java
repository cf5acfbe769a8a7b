package dev.gossamer.tensor.libtorch;

/**
 * What the loaded libtorch is.
 *
 * @param version for example {@code 2.10.0}
 * @param simd instruction set that its processor kernels use, for example {@code AVX512}
 * @param threads threads inside one operation
 * @param blasThreads threads of OpenBLAS, -1 if another library does the products
 * @param configuration libtorch's own description, several lines
 * @param cuda whether it sees a card
 */
public record TorchFacts(
    String version,
    String simd,
    int threads,
    int blasThreads,
    String configuration,
    boolean cuda) {}
