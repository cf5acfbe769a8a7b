/**
 * From a prompt to what a video transformer attends to: cleaning, token ids, vectors. Read {@link
 * dev.gossamer.video.text.PromptCleaning}, {@link dev.gossamer.video.text.Tokenizer}, then {@link
 * dev.gossamer.video.text.T5Encoder}, {@link dev.gossamer.video.text.LlamaEncoder} or {@link
 * dev.gossamer.video.text.ClipTextEncoder}.
 *
 * <pre>{@code
 * try (Scope scope = Scope.open();
 *     Tokenizer tokenizer = Tokenizer.open(checkpoint.resolve("tokenizer"));
 *     T5Encoder encoder =
 *         T5Encoder.open(checkpoint.resolve("text_encoder"), DType.BFLOAT16, Device.CPU)) {
 *   long[] ids = tokenizer.encode(PromptCleaning.clean("a cat &amp; a ball"), 512).ids();
 *   Tensor rows = encoder.encode(Tensor.of(ids, 1, ids.length)); // [1, tokens, width]
 * }
 * }</pre>
 */
package dev.gossamer.video.text;
