package dev.gossamer.distributed.lab;

import java.util.ArrayList;
import java.util.List;

/** The commands that build a lab, in order. */
final class Wiring {
  static final String LINK = "eth0";

  /** Without a link-local address a quiet link is silent, and counters count the ranks alone. */
  private static final String SILENT = " addrgenmode none";

  private Wiring() {}

  static List<Step> steps(LabPlan plan, LabNames names) {
    List<Step> steps = new ArrayList<>();
    String hub = names.hub();
    steps.add(Step.addNamespace(hub));
    steps.add(Step.addBridge(hub, names.bridge()));
    steps.add(Step.within(hub, "link set " + names.bridge() + SILENT));
    steps.add(Step.within(hub, "link set " + names.bridge() + " up"));
    for (int host = 0; host < plan.hosts(); host++) {
      steps.addAll(host(names, host, plan.link()));
    }
    return steps;
  }

  private static List<Step> host(LabNames names, int host, LinkShape shape) {
    String hub = names.hub();
    String name = names.host(host);
    List<Step> steps = new ArrayList<>();
    steps.add(Step.addNamespace(name));
    steps.add(Step.addLink(hub, name, name));
    steps.add(Step.within(name, "link set lo up"));
    steps.add(Step.within(name, "link set " + LINK + SILENT));
    steps.add(
        Step.within(name, "addr add " + LabNames.address(host) + LabNames.WIDTH + " dev " + LINK));
    if (shape.isShaped()) {
      steps.add(Step.shape(name, LINK, shape)); // what it sends
      steps.add(Step.shape(hub, name, shape)); // what all others together send to it
    }
    steps.add(Step.within(hub, "link set " + name + SILENT));
    steps.add(Step.within(hub, "link set " + name + " master " + names.bridge()));
    steps.add(Step.within(hub, "link set " + name + " up"));
    steps.add(Step.within(name, "link set " + LINK + " up"));
    return steps;
  }

  /** Which of TCP's algorithms a host uses towards the others. */
  static Step congestionControl(LabNames names, int host, String algorithm) {
    String source = " src " + LabNames.address(host);
    return Step.within(
        names.host(host),
        "route replace " + LabNames.NETWORK + " dev " + LINK + source + " congctl " + algorithm);
  }
}
