package dev.gossamer.tensor.weights;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a model's tensors are called elsewhere: an ordered list of replacements, each applied to
 * what the ones before it made of a name.
 */
public final class NameTable {
  private final List<Replacement> replacements = new ArrayList<>();

  private record Replacement(Pattern pattern, String by, List<StoredAs.Rows> rows) {}

  /**
   * Adds a replacement.
   *
   * @param pattern a regular expression, searched for in the whole name
   * @param by what takes its place, with {@code $1} for groups
   * @param rows that the tensor is of what is stored under the other name; none for all
   */
  public NameTable with(String pattern, String by, StoredAs.Rows... rows) {
    NameTable longer = new NameTable();
    longer.replacements.addAll(replacements);
    longer.replacements.add(new Replacement(Pattern.compile(pattern), by, List.of(rows)));
    return longer;
  }

  /** Adds another table's replacements. */
  public NameTable then(NameTable other) {
    NameTable longer = new NameTable();
    longer.replacements.addAll(replacements);
    longer.replacements.addAll(other.replacements);
    return longer;
  }

  /** The other name of a tensor. */
  public String of(String name) {
    return place(name).name();
  }

  /** Where each of a model's tensors is stored in files that use the other names. */
  public Map<String, StoredAs> places(Collection<String> names) {
    Map<String, StoredAs> places = new LinkedHashMap<>();
    names.forEach(name -> places.put(name, place(name)));
    return places;
  }

  private StoredAs place(String name) {
    String renamed = name;
    List<StoredAs.Rows> rows = List.of();
    for (Replacement replacement : replacements) {
      Matcher found = replacement.pattern().matcher(renamed);
      if (found.find()) {
        renamed = found.replaceAll(replacement.by());
        rows = replacement.rows().isEmpty() ? rows : replacement.rows();
      }
    }
    return new StoredAs(renamed, rows);
  }
}
