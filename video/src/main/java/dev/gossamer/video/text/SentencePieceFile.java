package dev.gossamer.video.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gossamer.tensor.failure.BadInputException;
import dev.gossamer.tensor.files.PartFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A SentencePiece model ({@code spiece.model}) of T5's kind, as the {@code tokenizer.json} that
 * transformers makes of it: the file's character map and Unigram pieces, a text split at white
 * space, the end token behind it, and T5's hundred {@code <extra_id_i>} behind the pieces.
 *
 * <p>The file is a protocol buffer. Read are of field 1, a piece: text (1), score (2) and type (3);
 * of field 2, the training: the kind of model (3); of field 3, the normalisation: the character map
 * (2).
 */
final class SentencePieceFile {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int UNIGRAM = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int EXTRA = 100;
  private static final String END = "</s>";
  private static final String SPACE = "\u2581";

  private final Path file;
  private final List<Piece> pieces = new ArrayList<>();
  private byte[] characterMap = new byte[0];

  /** A piece of text, its log probability, and whether it is more than that. */
  private record Piece(String text, float score, int type) {}

  private SentencePieceFile(Path file) {
    this.file = file;
  }

  /**
   * @return what {@code tokenizer.json} would hold
   * @throws BadInputException if the file is damaged or no Unigram model with an end token
   */
  static ObjectNode json(Path file) {
    byte[] content;
    try {
      content = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new BadInputException(
          "Cannot read " + file + ": " + PartFile.reason(e), "Check that it may be read", e);
    }
    return json(file, content);
  }

  /**
   * The same of a model that lies in another file.
   *
   * @param file what messages name
   */
  static ObjectNode json(Path file, byte[] content) {
    SentencePieceFile model = new SentencePieceFile(file);
    try {
      model.read(ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN));
    } catch (RuntimeException e) {
      if (e instanceof BadInputException refused) {
        throw refused;
      }
      throw model.damaged("it is no SentencePiece model");
    }
    return model.json();
  }

  private BadInputException damaged(String what) {
    return new BadInputException("Cannot read " + file + ": " + what, "Download the file again");
  }

  private void read(ByteBuffer message) {
    while (message.hasRemaining()) {
      int key = (int) varint(message);
      switch (key) {
        case 1 << 3 | 2 -> pieces.add(piece(part(message)));
        case 2 << 3 | 2 -> training(part(message));
        case 3 << 3 | 2 -> normalisation(part(message));
        default -> skip(message, key);
      }
    }
  }

  private static Piece piece(ByteBuffer message) {
    String text = "";
    float score = 0;
    int type = 1;
    while (message.hasRemaining()) {
      int key = (int) varint(message);
      switch (key) {
        case 1 << 3 | 2 -> text = StandardCharsets.UTF_8.decode(part(message)).toString();
        case 2 << 3 | 5 -> score = message.getFloat();
        case 3 << 3 -> type = (int) varint(message);
        default -> skip(message, key);
      }
    }
    return new Piece(text, score, type);
  }

  private void training(ByteBuffer message) {
    while (message.hasRemaining()) {
      int key = (int) varint(message);
      if (key == 3 << 3) {
        if (varint(message) != UNIGRAM) {
          throw damaged("it is no Unigram model");
        }
      } else {
        skip(message, key);
      }
    }
  }

  private void normalisation(ByteBuffer message) {
    while (message.hasRemaining()) {
      int key = (int) varint(message);
      if (key == (2 << 3 | 2)) {
        ByteBuffer map = part(message);
        characterMap = new byte[map.remaining()];
        map.get(characterMap);
      } else {
        skip(message, key);
      }
    }
  }

  private static long varint(ByteBuffer message) {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      byte next = message.get();
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw new IllegalArgumentException("A number of more than 64 bits");
  }

  /** The next part with a length; reading it moves on behind it. */
  private static ByteBuffer part(ByteBuffer message) {
    int length = Math.toIntExact(varint(message));
    ByteBuffer part = message.slice(message.position(), length).order(ByteOrder.LITTLE_ENDIAN);
    message.position(message.position() + length);
    return part;
  }

  private static void skip(ByteBuffer message, int key) {
    switch (key & 7) {
      case 0 -> varint(message);
      case 1 -> message.getLong();
      case 2 -> part(message);
      case 5 -> message.getInt();
      default -> throw new IllegalArgumentException("No field of kind " + (key & 7));
    }
  }

  private ObjectNode json() {
    int unknown = -1;
    int end = -1;
    ArrayNode vocabulary = MAPPER.createArrayNode();
    ArrayNode special = MAPPER.createArrayNode();
    for (int id = 0; id < pieces.size(); id++) {
      Piece piece = pieces.get(id);
      vocabulary.addArray().add(piece.text()).add(piece.score());
      if (piece.type() == UNKNOWN || piece.type() == CONTROL) {
        special.add(token(id, piece.text()));
      }
      unknown = piece.type() == UNKNOWN ? id : unknown;
      end = piece.text().equals(END) ? id : end;
    }
    if (unknown < 0 || end < 0) {
      throw damaged("it has no " + (end < 0 ? "end token " + END : "piece for what is unknown"));
    }
    for (int extra = EXTRA - 1; extra >= 0; extra--) {
      String text = "<extra_id_" + extra + ">";
      special.add(token(vocabulary.size(), text));
      vocabulary.addArray().add(text).add(0.0);
    }
    ObjectNode json = MAPPER.createObjectNode().put("version", "1.0");
    json.set("added_tokens", special);
    if (characterMap.length > 0) {
      json.putObject("normalizer")
          .put("type", "Precompiled")
          .put("precompiled_charsmap", characterMap);
    }
    ObjectNode split = json.putObject("pre_tokenizer").put("type", "Sequence");
    ArrayNode steps = split.putArray("pretokenizers");
    steps.addObject().put("type", "WhitespaceSplit");
    steps
        .addObject()
        .put("type", "Metaspace")
        .put("replacement", SPACE)
        .put("prepend_scheme", "always")
        .put("split", true);
    json.set("post_processor", endToken(end));
    ObjectNode model = json.putObject("model").put("type", "Unigram").put("unk_id", unknown);
    model.set("vocab", vocabulary);
    model.put("byte_fallback", false);
    return json;
  }

  private static ObjectNode token(int id, String text) {
    ObjectNode token = MAPPER.createObjectNode().put("id", id).put("content", text);
    for (String flag : List.of("single_word", "lstrip", "rstrip", "normalized")) {
      token.put(flag, false);
    }
    return token.put("special", true);
  }

  private static JsonNode endToken(int id) {
    ObjectNode processor = MAPPER.createObjectNode().put("type", "TemplateProcessing");
    for (String form : List.of("single", "pair")) {
      ArrayNode order = processor.putArray(form);
      for (String text : form.equals("pair") ? List.of("A", "B") : List.of("A")) {
        order.addObject().putObject("Sequence").put("id", text).put("type_id", 0);
        order.addObject().putObject("SpecialToken").put("id", END).put("type_id", 0);
      }
    }
    ObjectNode token = processor.putObject("special_tokens").putObject(END).put("id", END);
    token.putArray("ids").add(id);
    token.putArray("tokens").add(END);
    return processor;
  }
}
