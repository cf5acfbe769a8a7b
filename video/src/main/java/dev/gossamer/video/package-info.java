/**
 * Text to video, one pipeline for all model families.
 *
 * <p>{@link dev.gossamer.video.TextToVideo} is the way in: open a checkpoint, {@linkplain
 * dev.gossamer.video.TextToVideo#request make a request}, {@linkplain
 * dev.gossamer.video.TextToVideo#generate generate}. Read on in the order of the data: {@code
 * VideoEngine} (prompts, parts in memory), {@code Denoising} (the loop), {@code FrameOutputs} (what
 * becomes of frames), {@link dev.gossamer.video.RunReport} (what is written of it all).
 *
 * <p>A family of models is a {@link dev.gossamer.video.VideoFamily} in a package of its own;
 * nothing here changes for it.
 *
 * <pre>{@code
 * try (TextToVideo model = TextToVideo.open(checkpoint)) {
 *   VideoRequest request = model.request("a rocket flies up in space").withSeed(7);
 *   model.generate(request, RunOptions.to(Path.of("rocket.mp4")), Progress.NONE);
 * }
 * }</pre>
 *
 * <h2>What a run leaves behind</h2>
 *
 * For {@code --out rocket.mp4}: the video, {@code rocket.png} (contact sheet), {@code rocket.json}
 * (report). While it runs, {@code rocket.resume} holds the state between two steps, written as
 * often as a twentieth of the time allows; at the end of denoising {@code
 * rocket.latents.safetensors} takes its place, until the video is written. All of them appear under
 * their name only when they are whole.
 */
package dev.gossamer.video;
