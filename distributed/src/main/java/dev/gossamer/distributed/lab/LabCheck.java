package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.lab.Ability.State;
import dev.gossamer.tensor.failure.GossamerException;
import java.util.ArrayList;
import java.util.List;

/** Tries what a lab uses, in two namespaces that are gone afterwards. */
public final class LabCheck {
  private final List<Ability> abilities = new ArrayList<>();

  private LabCheck() {}

  /** All that a lab uses, in the order in which it does. Ends at the first that others need. */
  public static List<Ability> ofThisMachine() {
    LabCheck check = new LabCheck();
    if (check.attempt("System", "Linux", Requirements::requireLinux)
        && check.attempt(
            "Rights",
            "root with CAP_NET_ADMIN and CAP_SYS_ADMIN",
            () -> Requirements.requireRoot(Requirements.status()))
        && check.program("ip")
        && check.program("tc")) {
      check.tryKernel();
    }
    return List.copyOf(check.abilities);
  }

  /** Whether nothing is missing. */
  public static boolean isEnough(List<Ability> abilities) {
    return abilities.stream().noneMatch(ability -> ability.state() == State.MISSING);
  }

  private void tryKernel() {
    LabRecord entry = LabRegister.SYSTEM.enter(1);
    LabNames names = entry.names();
    String hub = names.hub();
    try (Guard guard = Guard.over(entry)) {
      if (attempt("Namespaces", "can be made", () -> Iproute.run(Step.addNamespace(hub)))) {
        Iproute.run(Step.addNamespace(names.host(0)));
        attempt("Bridge", "in the kernel", () -> Iproute.run(Step.addBridge(hub, names.bridge())));
        attempt(
            "Links",
            "veth in the kernel",
            () -> Iproute.run(Step.addLink(hub, names.host(0), names.host(0))));
        LinkShape shape = LinkShape.of("100mbit");
        attempt("Rates", "tbf in the kernel", () -> Iproute.run(Step.shape(hub, "lo", shape)));
        spare("Delays", "netem in the kernel; labs add none", Step.delay(hub, "lo"));
      }
    }
  }

  private boolean program(String name) {
    return attempt(
        name, Iproute.find(name).map(Object::toString).orElse(""), () -> Iproute.path(name));
  }

  private boolean attempt(String subject, String found, Runnable trial) {
    try {
      trial.run();
      abilities.add(new Ability(subject, State.PRESENT, found, ""));
      return true;
    } catch (GossamerException e) {
      abilities.add(new Ability(subject, State.MISSING, e.getMessage(), ""));
      return false;
    }
  }

  private void spare(String subject, String found, Step step) {
    try {
      Iproute.run(step);
      abilities.add(new Ability(subject, State.PRESENT, found, ""));
    } catch (GossamerException e) {
      abilities.add(
          new Ability(subject, State.SPARED, "no netem in the kernel; labs add no latency", ""));
    }
  }
}
