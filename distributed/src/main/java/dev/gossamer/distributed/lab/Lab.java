package dev.gossamer.distributed.lab;

import dev.gossamer.distributed.launch.Nodes;
import dev.gossamer.distributed.launch.Placement;
import dev.gossamer.distributed.launch.RankPlace;
import dev.gossamer.tensor.failure.EnvironmentException;
import dev.gossamer.tensor.failure.GossamerException;
import dev.gossamer.tensor.failure.InterruptedRunException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * A cluster of network namespaces with shaped links, and a place for ranks. Ranks of a host share
 * its namespace and talk to each other at its own address, which is not shaped. Any number of labs
 * can stand side by side.
 */
public final class Lab implements Placement, AutoCloseable {
  /** Tells ranks the rate of their node's link in each direction, as {@link LinkShape} reads it. */
  public static final String RATE_VARIABLE = "GOSSAMER_LAB_RATE";

  /** Free, as in a namespace nobody else listens. */
  private static final int PORT = 29_500;

  /** Linux' default where nothing else is chosen, and the one that real clusters use. */
  private static final String CONGESTION_CONTROL = "cubic";

  private final LabPlan plan;
  private final LabNames names;
  private final Guard guard;
  private String congestionControl = "";

  private Lab(LabPlan plan, LabNames names, Guard guard) {
    this.plan = plan;
    this.names = names;
    this.guard = guard;
  }

  /**
   * Builds one.
   *
   * @param interrupted whether to stop and take away what is built, as after Ctrl-C
   * @throws EnvironmentException if the machine lacks something
   * @throws InterruptedRunException if interrupted
   */
  public static Lab build(LabPlan plan, BooleanSupplier interrupted) {
    Requirements.demand();
    LabRecord entry = LabRegister.SYSTEM.enter(plan.hosts());
    Lab lab = new Lab(plan, entry.names(), Guard.over(entry));
    try {
      for (Step step : Wiring.steps(plan, entry.names())) {
        lab.unless(interrupted);
        Iproute.run(step);
      }
      lab.congestionControl = lab.chooseCongestionControl();
      return lab;
    } catch (GossamerException e) {
      try (lab) {
        lab.unless(interrupted); // which is why a command failed: it had the same Ctrl-C
        throw e;
      }
    }
  }

  private void unless(BooleanSupplier interrupted) {
    if (interrupted.getAsBoolean()) {
      throw new InterruptedRunException("Stopped while the lab was built, as asked", "");
    }
  }

  /**
   * By route: the setting of a whole namespace is refused for what the machine does not allow to
   * all its users. Where the kernel has none of that name, its default stays.
   */
  private String chooseCongestionControl() {
    try {
      for (int host = 0; host < plan.hosts(); host++) {
        Iproute.run(Wiring.congestionControl(names, host, CONGESTION_CONTROL));
      }
      return CONGESTION_CONTROL;
    } catch (EnvironmentException e) {
      return "as the kernel prefers";
    }
  }

  public LabPlan plan() {
    return plan;
  }

  /** Its name, with which the names of all its parts begin. */
  public String name() {
    return names.lab();
  }

  /** What decides how fast TCP sends, in these namespaces. */
  public String congestionControl() {
    return congestionControl;
  }

  /** Bytes over each host's link since the lab was built. */
  public List<NodeTraffic> traffic() {
    return NodeTraffic.parse(Iproute.run(NodeTraffic.reading(names, plan.hosts())));
  }

  @Override
  public int size() {
    return plan.ranks();
  }

  @Override
  public List<RankPlace> places() {
    return places(plan, names, Iproute.path("ip"));
  }

  static List<RankPlace> places(LabPlan plan, LabNames names, String ip) {
    List<RankPlace> places = new ArrayList<>();
    for (int host = 0; host < plan.hosts(); host++) {
      Nodes nodes = new Nodes(plan.ranksPerHost(), plan.hosts(), host, LabNames.address(0), PORT);
      List<String> entrance = List.of(ip, "netns", "exec", names.host(host));
      for (RankPlace place : nodes.places()) {
        Map<String, String> variables = new LinkedHashMap<>(place.variables());
        // Gloo would ask for the address of the machine's name, which is not of this namespace.
        variables.put("GLOO_SOCKET_IFNAME", Wiring.LINK);
        variables.put(RATE_VARIABLE, plan.link().rate());
        // Else c10d complains of each connection that its address has no name.
        variables.put("TORCH_CPP_LOG_LEVEL", "ERROR");
        places.add(new RankPlace(place.rank(), entrance, variables));
      }
    }
    return places;
  }

  /** Takes all of it away, with the processes that are still in it. */
  @Override
  public void close() {
    guard.close();
  }
}
