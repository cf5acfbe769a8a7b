package dev.gossamer.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a benchmark found: the document of {@code gossamer bench ... --json}.
 *
 * @param machine where it ran, see {@link MachineFacts}
 * @param settings what was measured and how
 * @param rows the comparisons, in the order in which they were made
 */
public record BenchReport(
    Map<String, Object> machine, Map<String, Object> settings, List<BenchRow> rows) {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  public BenchReport {
    machine = new LinkedHashMap<>(machine);
    settings = new LinkedHashMap<>(settings);
    rows = List.copyOf(rows);
  }

  /** The report as JSON, indented; figures that are not finite become null. */
  public String json() {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("machine", machine);
    document.put("settings", settings);
    document.put("rows", rows.stream().map(BenchRow::document).toList());
    return json(document);
  }

  /**
   * Any document as indented JSON; figures that are not finite become null.
   *
   * @param document maps, lists, texts, numbers, truth values
   */
  public static String json(Object document) {
    try {
      return JSON.writeValueAsString(finite(document));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("Not a JSON document: " + document, e);
    }
  }

  private static Object finite(Object value) {
    if (value instanceof Map<?, ?> map) {
      Map<Object, Object> copy = new LinkedHashMap<>();
      map.forEach((key, entry) -> copy.put(key, finite(entry)));
      return copy;
    }
    if (value instanceof List<?> list) {
      List<Object> copy = new ArrayList<>();
      list.forEach(entry -> copy.add(finite(entry)));
      return copy;
    }
    return value instanceof Double number && !Double.isFinite(number) ? null : value;
  }
}
