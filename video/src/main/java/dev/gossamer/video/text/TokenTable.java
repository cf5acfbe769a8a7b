package dev.gossamer.video.text;

import dev.gossamer.tensor.Tensor;
import dev.gossamer.tensor.failure.BadInputException;
import java.util.List;

/**
 * The rows that a text encoder starts from, one for each token of its vocabulary.
 *
 * @param rows {@code [vocabulary, width]}
 */
record TokenTable(Tensor rows) {
  /**
   * @param ids INT64 {@code [batch, tokens]}
   * @return {@code [batch, tokens, width]} in the table's type
   * @throws BadInputException if an id is outside of the vocabulary
   */
  Tensor embed(Tensor ids) {
    if (ids.dims() != 2 || ids.count() == 0) {
      throw new IllegalArgumentException("Token ids must be [batch, tokens], not " + ids);
    }
    for (Tensor bound : List.of(ids.amin(), ids.amax())) {
      if (bound.item() < 0 || bound.item() >= rows.size(0)) {
        throw new BadInputException(
            "Cannot encode the token "
                + (long) bound.item()
                + ": the text encoder knows 0 to "
                + (rows.size(0) - 1),
            "Are tokenizer and text encoder of the same model?");
      }
    }
    return rows.indexSelect(0, ids.to(rows.device()).reshape(-1))
        .reshape(ids.size(0), ids.size(1), rows.size(1));
  }
}
