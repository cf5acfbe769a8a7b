package dev.gossamer.video.text;

/**
 * The cleaning that Wan gives a prompt before it is tokenized: HTML character references are
 * replaced twice (so that {@code &amp;lt;} becomes {@code <}), then every run of white space
 * becomes one space and none is left at the ends.
 *
 * <p>Known references are those of the HTML standard, all names and all numbers, as Python's {@code
 * html.unescape} reads them. White space is what Python's {@code \s} matches: the Unicode spaces
 * (U+00A0, U+2009, U+3000 and so on), line and paragraph separators, U+0085 and the control
 * characters U+0009 to U+000D and U+001C to U+001F, but not the zero-width U+200B and U+FEFF.
 *
 * <p>The reference pipeline also repairs wrongly decoded text with the library ftfy where that is
 * installed; this class never does.
 *
 * <p>Source: diffusers' {@code pipeline_wan.py}, {@code prompt_clean}.
 */
public final class PromptCleaning {
  private PromptCleaning() {}

  /** The cleaned prompt; may be empty. */
  public static String clean(String prompt) {
    String text = HtmlEntities.unescape(HtmlEntities.unescape(prompt));
    StringBuilder clean = new StringBuilder(text.length());
    boolean gap = false;
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i); // white space never needs a surrogate pair
      if (isSpace(letter)) {
        gap = true;
      } else {
        if (gap && !clean.isEmpty()) {
          clean.append(' ');
        }
        clean.append(letter);
        gap = false;
      }
    }
    return clean.toString();
  }

  private static boolean isSpace(char letter) {
    return (letter >= 0x09 && letter <= 0x0d)
        || (letter >= 0x1c && letter <= 0x20)
        || letter == 0x85
        || Character.isSpaceChar(letter);
  }
}
