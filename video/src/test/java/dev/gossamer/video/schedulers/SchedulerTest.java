package dev.gossamer.video.schedulers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.weights.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SchedulerTest {
  private static final String UNIPC =
      "{\"_class_name\":\"UniPCMultistepScheduler\",\"use_flow_sigmas\":true,"
          + "\"prediction_type\":\"flow_prediction\"";

  @TempDir Path folder;

  private Scheduler read(String json) throws IOException {
    Path file = Files.writeString(folder.resolve("scheduler_config.json"), json);
    return Scheduler.read(ModelConfig.read(file));
  }

  @Test
  void readsEverySettingOfUniPc() throws IOException {
    assertThat(
            read(
                UNIPC
                    + ",\"num_train_timesteps\":500,\"flow_shift\":5,\"solver_order\":3,"
                    + "\"solver_type\":\"bh1\",\"lower_order_final\":false,"
                    + "\"disable_corrector\":[1,0],\"final_sigmas_type\":\"sigma_min\"}"))
        .isEqualTo(
            new UniPc(
                500,
                5,
                UniPc.SigmaGrid.NEW,
                3,
                UniPc.Solver.BH1,
                false,
                List.of(0, 1),
                UniPc.FinalSigma.SIGMA_MIN));
    assertThat(read(UNIPC + "}")).isEqualTo(UniPc.WAN.withFlowShift(1));
  }

  @ParameterizedTest
  @CsvSource({
    "use_flow_sigmas,false",
    "prediction_type,'\"epsilon\"'",
    "predict_x0,false",
    "thresholding,true",
    "use_karras_sigmas,true",
    "use_exponential_sigmas,true",
    "use_beta_sigmas,true",
    "use_dynamic_shifting,true",
    "solver_p,'{}'",
    "shift_terminal,0.1",
    "sigma_min,0.1",
    "sigma_max,1",
    "solver_type,'\"heun\"'",
    "final_sigmas_type,'\"one\"'",
    "solver_order,'\"2\"'"
  })
  void refusesWhatUniPcDoesNotImplement(String key, String value) {
    assertThatThrownBy(() -> read(UNIPC + ",\"" + key + "\":" + value + "}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("scheduler_config.json")
        .hasMessageContaining(key)
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @CsvSource({"solver_order,4,solverOrder", "flow_shift,0,flowShift"})
  void refusesUniPcSettingsOutOfRange(String key, String value, String setting) {
    assertThatThrownBy(() -> read(UNIPC + ",\"" + key + "\":" + value + "}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("scheduler_config.json")
        .hasMessageContaining(setting);
  }

  @ParameterizedTest
  @CsvSource({
    "use_dynamic_shifting,true",
    "invert_sigmas,true",
    "stochastic_sampling,true",
    "use_karras_sigmas,true",
    "use_exponential_sigmas,true",
    "use_beta_sigmas,true",
    "shift_terminal,0.1",
    "shift,-1"
  })
  void refusesWhatFlowMatchEulerDoesNotImplement(String key, String value) {
    assertThatThrownBy(
            () ->
                read(
                    "{\"_class_name\":\"FlowMatchEulerDiscreteScheduler\",\""
                        + key
                        + "\":"
                        + value
                        + "}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining(key)
        .hasMessageNotContaining("\n");
  }

  private static final String COGVIDEOX =
      "{\"_class_name\":\"CogVideoXDPMScheduler\",\"beta_schedule\":\"scaled_linear\","
          + "\"prediction_type\":\"v_prediction\",\"timestep_spacing\":\"trailing\","
          + "\"rescale_betas_zero_snr\":true,\"set_alpha_to_one\":true";

  @Test
  void readsEverySettingOfCogVideoX() throws IOException {
    assertThat(read(COGVIDEOX + "}")).isEqualTo(new CogVideoXDpm(NoiseLevels.COGVIDEOX_2B));
    assertThat(
            read(
                COGVIDEOX.replace("DPM", "DDIM")
                    + ",\"num_train_timesteps\":500,\"beta_start\":0.1,\"beta_end\":0.2,"
                    + "\"snr_shift_scale\":1}"))
        .isEqualTo(new CogVideoXDdim(new NoiseLevels(500, 0.1, 0.2, 1)));
  }

  @ParameterizedTest
  @CsvSource({
    "beta_schedule,'\"linear\"'",
    "prediction_type,'\"epsilon\"'",
    "timestep_spacing,'\"leading\"'",
    "rescale_betas_zero_snr,false",
    "set_alpha_to_one,false",
    "clip_sample,true",
    "trained_betas,[0.1]",
    "snr_shift_scale,0",
    "beta_end,0.0001"
  })
  void refusesWhatCogVideoXDoesNotImplement(String key, String value) {
    assertThatThrownBy(() -> read(COGVIDEOX + ",\"" + key + "\":" + value + "}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("scheduler_config.json")
        .hasMessageContaining(key.startsWith("beta_end") ? "betas" : key.split("_")[0])
        .hasMessageNotContaining("\n");
  }

  @Test
  void refusesOtherSchedulers() {
    assertThatThrownBy(() -> read("{\"_class_name\":\"DDIMScheduler\"}"))
        .isInstanceOf(BadInputException.class)
        .hasMessageContaining("'DDIMScheduler'")
        .hasMessageContaining("UniPCMultistepScheduler");
    assertThatThrownBy(() -> read("{}")).isInstanceOf(BadInputException.class);
  }
}
