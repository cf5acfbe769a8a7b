package dev.gossamer.lm.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.UsageException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Learns a byte-level BPE: words are sequences of bytes, and the pair that is most frequent becomes
 * a token until there are enough (Sennrich et al. 2016, over bytes as in GPT-2). Of equally
 * frequent pairs the one of earlier tokens comes first, so that the same text gives the same
 * tokenizer. Without merges every byte is a token.
 *
 * <p>Token ids: 0 to 255 the bytes, then the merges in their order, then {@link #END}.
 */
public final class BytePairs {
  /** Stands behind every document. */
  public static final String END = "<|end|>";

  private static final int BYTES = 256;
  private static final int RARE = 2;

  /** How GPT-2 divides text before it merges; what the ByteLevel pre-tokenizer does. */
  private static final Pattern WORDS =
      Pattern.compile(
          "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          Pattern.UNICODE_CHARACTER_CLASS);

  private final Map<String, Long> words = new HashMap<>();

  /** Counts the words of a text. */
  public void count(String text) {
    Matcher matcher = WORDS.matcher(text);
    while (matcher.find()) {
      words.merge(matcher.group(), 1L, Long::sum);
    }
  }

  /** A pair of neighbouring tokens, and how often it was seen when this was noted. */
  private record Seen(long pair, long times) implements Comparable<Seen> {
    @Override
    public int compareTo(Seen other) {
      return times != other.times
          ? Long.compare(other.times, times)
          : Long.compare(pair, other.pair);
    }
  }

  /** What is known of pairs while they are merged. */
  private static final class Pairs {
    private final Map<Long, Long> times = new HashMap<>();
    private final Map<Long, Set<Integer>> places = new HashMap<>();
    private final PriorityQueue<Seen> queue = new PriorityQueue<>();

    void add(long pair, long count, int word) {
      times.merge(pair, count, Long::sum);
      if (count > 0) {
        places.computeIfAbsent(pair, p -> new HashSet<>()).add(word);
      }
    }

    /** The most frequent pair, or -1 if all are rare. */
    long next() {
      while (!queue.isEmpty()) {
        Seen best = queue.poll();
        long now = times.getOrDefault(best.pair, 0L);
        if (now == best.times && now >= RARE) {
          return best.pair;
        }
        if (now >= RARE) {
          queue.add(new Seen(best.pair, now));
        }
      }
      return -1;
    }

    void note(long pair) {
      queue.add(new Seen(pair, times.get(pair)));
    }
  }

  private static long pair(int left, int right) {
    return (long) left << 32 | right;
  }

  /**
   * Learns from the words counted so far.
   *
   * @param vocabulary tokens in all, bytes and the end of a document among them; fewer if the text
   *     has too few pairs
   * @return the content of a {@code tokenizer.json}
   */
  public byte[] learn(int vocabulary) {
    if (vocabulary < BYTES + 1) {
      throw new UsageException(
          "A vocabulary of " + vocabulary + " does not hold the 256 bytes and the end token",
          "Use 257 or more");
    }
    Map<String, Long> sorted = new TreeMap<>(words); // so that ids do not depend on hashes
    List<int[]> spelled = new ArrayList<>();
    List<Long> counts = new ArrayList<>();
    Pairs pairs = new Pairs();
    for (Map.Entry<String, Long> entry : sorted.entrySet()) {
      byte[] bytes = entry.getKey().getBytes(StandardCharsets.UTF_8);
      int[] word = new int[bytes.length];
      for (int i = 0; i < word.length; i++) {
        word[i] = bytes[i] & 0xff;
      }
      addPairs(pairs, word, entry.getValue(), spelled.size());
      spelled.add(word);
      counts.add(entry.getValue());
    }
    pairs.times.keySet().forEach(pairs::note);
    Tokens tokens = new Tokens();
    List<String> merges = new ArrayList<>();
    while (tokens.count() + 1 < vocabulary) {
      long best = pairs.next();
      if (best < 0) {
        break;
      }
      String left = tokens.written((int) (best >>> 32));
      String right = tokens.written((int) best);
      merge(pairs, best, tokens.add(left + right), spelled, counts);
      merges.add(left + " " + right);
    }
    return document(tokens, merges);
  }

  /** Tokens as they are written; the bytes at first. */
  private static final class Tokens {
    private final List<String> written = new ArrayList<>();
    private final Map<String, Integer> ids = new HashMap<>();

    Tokens() {
      for (int value = 0; value < BYTES; value++) {
        add(String.valueOf(ByteAlphabet.letter(value)));
      }
    }

    /** The token of this writing: different pairs may come to the same. */
    int add(String token) {
      int id = ids.computeIfAbsent(token, t -> written.size());
      if (id == written.size()) {
        written.add(token);
      }
      return id;
    }

    int count() {
      return written.size();
    }

    String written(int id) {
      return written.get(id);
    }
  }

  private static void addPairs(Pairs pairs, int[] word, long count, int number) {
    for (int i = 0; i + 1 < word.length; i++) {
      pairs.add(pair(word[i], word[i + 1]), count, number);
    }
  }

  private static void merge(
      Pairs pairs, long merged, int token, List<int[]> spelled, List<Long> counts) {
    Set<Long> changed = new HashSet<>();
    for (int number : pairs.places.remove(merged)) {
      int[] word = spelled.get(number);
      int[] joined = joined(word, (int) (merged >>> 32), (int) merged, token);
      if (joined.length == word.length) {
        continue; // an earlier merge took the pair apart
      }
      long count = counts.get(number);
      addPairs(pairs, word, -count, number);
      addPairs(pairs, joined, count, number);
      spelled.set(number, joined);
      for (int i = 0; i + 1 < joined.length; i++) {
        if (joined[i] == token || joined[i + 1] == token) {
          changed.add(pair(joined[i], joined[i + 1]));
        }
      }
    }
    pairs.times.remove(merged);
    changed.stream().sorted().forEach(pairs::note);
  }

  private static int[] joined(int[] word, int left, int right, int token) {
    int[] joined = new int[word.length];
    int length = 0;
    for (int i = 0; i < word.length; i++) {
      if (i + 1 < word.length && word[i] == left && word[i + 1] == right) {
        joined[length++] = token;
        i++;
      } else {
        joined[length++] = word[i];
      }
    }
    return Arrays.copyOf(joined, length);
  }

  private static byte[] document(Tokens tokens, List<String> merges) {
    ObjectMapper mapper = new ObjectMapper();
    int end = tokens.add(END);
    Map<String, Integer> vocabulary = new LinkedHashMap<>();
    for (int id = 0; id <= end; id++) {
      vocabulary.put(tokens.written(id), id);
    }
    ObjectNode root = mapper.createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    root.putArray("added_tokens")
        .addObject()
        .put("id", end)
        .put("content", END)
        .put("single_word", false)
        .put("lstrip", false)
        .put("rstrip", false)
        .put("normalized", false)
        .put("special", true);
    root.putNull("normalizer");
    root.set("pre_tokenizer", byteLevel(mapper).put("use_regex", true));
    root.putNull("post_processor");
    root.set("decoder", byteLevel(mapper).put("use_regex", true));
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE").putNull("dropout").putNull("unk_token");
    model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
    model.put("fuse_unk", false).put("byte_fallback", false).put("ignore_merges", false);
    model.set("vocab", mapper.valueToTree(vocabulary));
    model.set("merges", mapper.valueToTree(merges));
    return root.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static ObjectNode byteLevel(ObjectMapper mapper) {
    return mapper
        .createObjectNode()
        .put("type", "ByteLevel")
        .put("add_prefix_space", false)
        .put("trim_offsets", true);
  }
}
