/**
 * How sampling walks from noise to a video. Read {@link dev.gossamer.video.schedulers.Scheduler}
 * (settings), {@link dev.gossamer.video.schedulers.Schedule} (the noise levels of a number of
 * steps) and {@link dev.gossamer.video.schedulers.Stepper} (one video's state), then {@link
 * dev.gossamer.video.schedulers.FlowMatchEuler}, the simple one, and {@link
 * dev.gossamer.video.schedulers.UniPc}.
 *
 * <pre>{@code
 * Schedule schedule = UniPc.WAN.withFlowShift(5).plan(20);
 * try (Stepper stepper = schedule.stepper()) {
 *   for (int i = 0; i < schedule.steps(); i++) {
 *     Tensor velocity = model.forward(latents, schedule.timesteps()[i]);
 *     latents = stepper.step(i, velocity, latents);
 *   }
 * }
 * }</pre>
 */
package dev.gossamer.video.schedulers;
