package dev.gossamer.attention.adacluster;

import dev.gossamer.attention.cuda.ClusterKernels;
import dev.gossamer.tensor.DType;
import dev.gossamer.tensor.Device;
import dev.gossamer.tensor.cuda.Card;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which execution a card gets: kernels of ours if any fit, else operations of libtorch. */
final class CardExecutions {
  /** System property: {@code portable} leaves our kernels alone, to compare with them. */
  static final String PROPERTY = "gossamer.cuda.attention";

  private static final Logger LOG = LoggerFactory.getLogger(CardExecutions.class);
  private static final Map<String, ClusterKernels> LOADED = new ConcurrentHashMap<>();
  private static final Set<String> SAID = ConcurrentHashMap.newKeySet();

  private CardExecutions() {}

  static HeadsExecution of(
      Device device, int headDim, DType dtype, AdaClusterSettings settings, int tokens) {
    HeadsExecution portable = new PortableHeads();
    if ("portable".equals(System.getProperty(PROPERTY))) {
      return portable;
    }
    Card card = Card.of(device);
    Optional<String> lack =
        KernelHeads.knows(settings, tokens)
            ? ClusterKernels.lack(card, headDim, dtype)
            : Optional.of("these settings have none");
    if (lack.isPresent()) {
      say(lack.get());
      return portable;
    }
    try {
      return new KernelHeads(
          LOADED.computeIfAbsent(
              device + "/" + headDim + "/" + dtype, key -> ClusterKernels.of(card, headDim, dtype)),
          portable);
    } catch (GossamerException e) {
      say(e.getMessage());
      return portable;
    }
  }

  /** Once for each reason: a video has many layers. */
  private static void say(String reason) {
    if (SAID.add(reason)) {
      LOG.warn("Clustered attention without kernels of its own, by libtorch: {}", reason);
    }
  }
}
