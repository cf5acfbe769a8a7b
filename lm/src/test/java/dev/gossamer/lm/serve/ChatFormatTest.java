package dev.gossamer.lm.serve;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatFormatTest {
  @TempDir private Path folder;

  private static String prompt(String messages) throws IOException {
    return ChatFormat.prompt(new ObjectMapper().readTree(messages.replace('\'', '"')));
  }

  @Test
  void aConversationIsPlainText() throws IOException {
    assertThat(
            prompt(
                "[{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'},"
                    + " {'role': 'assistant', 'content': 'Yes?'},"
                    + " {'role': 'user', 'content': [{'type': 'text', 'text': 'Go '},"
                    + " {'type': 'text', 'text': 'on'}]}]"))
        .isEqualTo("Be brief.\n\nUser: Hi\nAssistant: Yes?\nUser: Go on\nAssistant:");
    assertThat(prompt("[{'role': 'developer', 'content': 'x', 'tool_calls': [], 'name': null}]"))
        .isEqualTo("x\n\nAssistant:");
  }

  @Test
  void aFormOfTheModelsOwnIsNoticed() throws IOException {
    assertThat(ChatFormat.isOverruledIn(folder)).isFalse();
    Path config = folder.resolve("tokenizer_config.json");
    Files.writeString(config, "{\"chat_template\": null}");
    assertThat(ChatFormat.isOverruledIn(folder)).isFalse();
    Files.writeString(config, "{\"chat_template\": \"{{ messages }}\"}");
    assertThat(ChatFormat.isOverruledIn(folder)).isTrue();
    Files.delete(config);
    Files.writeString(folder.resolve("chat_template.jinja"), "x");
    assertThat(ChatFormat.isOverruledIn(folder)).isTrue();
  }
}
