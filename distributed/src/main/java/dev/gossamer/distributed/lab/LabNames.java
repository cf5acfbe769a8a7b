package dev.gossamer.distributed.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What the parts of a lab are called. All begin with the lab's own prefix, and only such names are
 * ever deleted.
 *
 * @param lab its name, {@code gs} and a number
 */
record LabNames(String lab) {
  private static final Pattern LAB = Pattern.compile("gs[1-9]\\d{0,4}");
  private static final int FIRST_ADDRESS = 10;
  private static final String PREFIX = "10.231.0.";
  static final String WIDTH = "/24";
  static final String NETWORK = PREFIX + "0" + WIDTH;

  LabNames {
    if (!isLab(lab)) {
      throw new IllegalArgumentException(lab);
    }
  }

  static LabNames of(int run) {
    return new LabNames("gs" + run);
  }

  static boolean isLab(String name) {
    return LAB.matcher(name).matches();
  }

  boolean owns(String name) {
    return name.matches(lab + "-[a-z0-9]+");
  }

  /**
   * The namespace that holds the bridge, so that no firewall of the machine looks at its frames.
   */
  String hub() {
    return lab + "-hub";
  }

  String bridge() {
    return lab + "-br";
  }

  /** A host's namespace, and the hub's end of its link. At most 15 characters, as links demand. */
  String host(int host) {
    return lab + "-n" + host;
  }

  static String address(int host) {
    return PREFIX + (FIRST_ADDRESS + host);
  }

  /** All namespaces of a lab. */
  List<String> namespaces(int hosts) {
    List<String> namespaces = new ArrayList<>();
    namespaces.add(hub());
    for (int host = 0; host < hosts; host++) {
      namespaces.add(host(host));
    }
    return namespaces;
  }
}
