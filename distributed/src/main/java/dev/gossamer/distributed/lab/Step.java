package dev.gossamer.distributed.lab;

import java.util.List;

/**
 * One command of the way to a lab.
 *
 * @param words the command, beginning with {@code ip} or {@code tc}
 * @param remedy what to do where it fails
 */
record Step(List<String> words, String remedy) {
  static final String NAMESPACES =
      "Labs need a kernel with network namespaces and the right to make them;"
          + " in a container: docker run --privileged";
  static final String BRIDGE = "The kernel needs bridges: modprobe bridge";
  static final String VETH = "The kernel needs pairs of virtual links: modprobe veth";
  static final String TBF = "The kernel needs the token bucket filter: modprobe sch_tbf";
  static final String NETEM = "The kernel has no delays to add: modprobe sch_netem";

  Step {
    words = List.copyOf(words);
  }

  static Step of(String remedy, String... words) {
    return new Step(List.of(words), remedy);
  }

  static Step addNamespace(String name) {
    return of(NAMESPACES, "ip", "netns", "add", name);
  }

  static Step addBridge(String namespace, String name) {
    // Snooping would send queries of its own, which the byte counters would count.
    return of(
        BRIDGE,
        ("ip -n " + namespace + " link add " + name + " type bridge mcast_snooping 0").split(" "));
  }

  /** A pair of links: {@code port} in the hub's namespace, {@code eth0} in the host's. */
  static Step addLink(String hub, String port, String host) {
    return of(
        VETH,
        ("ip -n " + hub + " link add " + port + " type veth peer name eth0 netns " + host)
            .split(" "));
  }

  static Step shape(String namespace, String link, LinkShape shape) {
    return of(
        TBF,
        ("tc -n "
                + namespace
                + " qdisc replace dev "
                + link
                + " root tbf rate "
                + shape.bitsPerSecond()
                + "bit burst "
                + shape.burstBytes()
                + "b latency "
                + shape.queueMillis()
                + "ms")
            .split(" "));
  }

  static Step delay(String namespace, String link) {
    return of(
        NETEM,
        ("tc -n " + namespace + " qdisc replace dev " + link + " root netem delay 1ms").split(" "));
  }

  /** {@code ip} within a namespace, on what is there already. */
  static Step within(String namespace, String words) {
    return of(
        "Check that iproute2 is as new as the kernel",
        ("ip -n " + namespace + " " + words).split(" "));
  }

  @Override
  public String toString() {
    return String.join(" ", words);
  }
}
