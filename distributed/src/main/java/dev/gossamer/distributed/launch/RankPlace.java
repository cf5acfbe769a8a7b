package dev.gossamer.distributed.launch;

import java.util.List;
import java.util.Map;

/**
 * Where one rank runs.
 *
 * @param rank its number among all
 * @param entrance words before its command that take it there, as {@code ip netns exec NAME}; they
 *     must become the command, not start it, so that signals reach it; empty: none
 * @param variables what torchrun would tell it
 */
public record RankPlace(int rank, List<String> entrance, Map<String, String> variables) {
  public RankPlace {
    entrance = List.copyOf(entrance);
    variables = Map.copyOf(variables);
  }
}
