package dev.gossamer.video.text;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Replaces HTML character references as Python's {@code html.unescape} does: decimal ({@code
 * &#65;}), hexadecimal ({@code &#x41;}) and all 2,231 names of the HTML standard, of which 106 are
 * also known without their semicolon ({@code &ampersand} becomes {@code &ersand}). What is no
 * reference stays as it is.
 */
final class HtmlEntities {
  private static final Pattern REFERENCE =
      Pattern.compile("&(?:#([0-9]+);?|#[xX]([0-9a-fA-F]+);?|([^\\t\\n\\f <&#;]{1,32};?))");

  /** What browsers show for the numbers 0x80 to 0x9f: the characters of Windows-1252. */
  private static final String WINDOWS =
      "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d"
          + "\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153"
          + "\u009d\u017e\u0178";

  private static final Map<String, String> NAMES = names();

  private HtmlEntities() {}

  static String unescape(String text) {
    if (text.indexOf('&') < 0) {
      return text;
    }
    Matcher matcher = REFERENCE.matcher(text);
    StringBuilder plain = new StringBuilder(text.length());
    while (matcher.find()) {
      String replacement;
      if (matcher.group(1) != null) {
        replacement = numbered(matcher.group(1), 10);
      } else if (matcher.group(2) != null) {
        replacement = numbered(matcher.group(2), 16);
      } else {
        replacement = named(matcher.group(3));
      }
      matcher.appendReplacement(plain, Matcher.quoteReplacement(replacement));
    }
    return matcher.appendTail(plain).toString();
  }

  private static String numbered(String digits, int radix) {
    int number = 0;
    for (int i = 0; i < digits.length() && number <= Character.MAX_CODE_POINT; i++) {
      number = number * radix + Character.digit(digits.charAt(i), radix);
    }
    if (number >= 0x80 && number <= 0x9f) {
      return WINDOWS.substring(number - 0x80, number - 0x7f);
    }
    boolean surrogate = number >= Character.MIN_SURROGATE && number <= Character.MAX_SURROGATE;
    if (number == 0 || surrogate || number > Character.MAX_CODE_POINT) {
      return "\ufffd";
    }
    return isForbidden(number) ? "" : Character.toString(number);
  }

  /** Control characters and the code points that Unicode sets aside as no characters. */
  private static boolean isForbidden(int number) {
    return number <= 0x8
        || number == 0xb
        || (number >= 0xe && number <= 0x1f)
        || number == 0x7f
        || (number >= 0xfdd0 && number <= 0xfdef)
        || (number & 0xfffe) == 0xfffe;
  }

  /** The longest known name that a text begins with is replaced, the rest of it kept. */
  private static String named(String name) {
    for (int end = name.length(); end > 1; end--) {
      String known = NAMES.get(name.substring(0, end));
      if (known != null) {
        return known + name.substring(end);
      }
    }
    return "&" + name;
  }

  private static Map<String, String> names() {
    Map<String, String> names = new HashMap<>(4096);
    try (InputStream stream = HtmlEntities.class.getResourceAsStream("html5-entities.txt");
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(stream, StandardCharsets.US_ASCII))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (!line.startsWith("#")) {
          String[] words = line.split(" ");
          StringBuilder characters = new StringBuilder();
          for (int i = 1; i < words.length; i++) {
            characters.appendCodePoint(Integer.parseInt(words[i], 16));
          }
          names.put(words[0], characters.toString());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return names;
  }
}
