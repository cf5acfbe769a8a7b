package dev.gossamer.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The argument of {@code --size}.
 *
 * @param width pixels
 * @param height pixels
 */
record FrameSize(int width, int height) {
  private static final Pattern FORM = Pattern.compile("(\\d{1,6})[xX](\\d{1,6})");

  /** Reads {@code 256x256}. */
  static final class Converter implements ITypeConverter<FrameSize> {
    @Override
    public FrameSize convert(String text) {
      Matcher matcher = FORM.matcher(text);
      if (!matcher.matches()) {
        throw new TypeConversionException(
            "'" + text + "' is not WIDTHxHEIGHT in pixels, for example 256x256");
      }
      return new FrameSize(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }
  }
}
