#include "topologies/engine/format/emit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace heddle::format {
namespace {

YamlNode tree_of(const std::string& text) {
  auto node = parse_yaml(text, "f");
  EXPECT_TRUE(node) << node.error().text() << "\n" << text;
  return node ? *std::move(node) : YamlNode{};
}

void expect_same(const YamlNode& a, const YamlNode& b) {
  ASSERT_EQ(a.kind, b.kind) << a.scalar << " | " << b.scalar;
  EXPECT_EQ(a.scalar, b.scalar);
  ASSERT_EQ(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < a.items.size(); ++i) expect_same(a.items[i], b.items[i]);
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    EXPECT_EQ(a.entries[i].key, b.entries[i].key);
    expect_same(a.entries[i].value, b.entries[i].value);
  }
}

TEST(EmitYaml, ReadsAsAPersonWouldWriteIt) {
  EXPECT_EQ(
      emit_yaml(tree_of("{name: a, list: [1, {b: c, d: []}], n: {h1: , h2: {}}, at: 10.0.0.1/8,"
                        " text: 'two words', script: \"a\\nb\\n\", no: 'no'}")),
      "name: a\n"
      "list:\n"
      "  - 1\n"
      "  -\n"
      "    b: c\n"
      "    d: []\n"
      "\"n\":\n"
      "  h1: ~\n"
      "  h2: {}\n"
      "at: 10.0.0.1/8\n"
      "text: \"two words\"\n"
      "script: |\n"
      "  a\n"
      "  b\n"
      "\"no\": \"no\"\n");
}

TEST(EmitYaml, TreesAreReadBack) {
  for (const char* text : {"",
                           "~",
                           "a",
                           "''",
                           "[]",
                           "{}",
                           "- - - a\n",
                           "a: {b: {c: [d, [e, {f: g}]]}}",
                           "'': x",
                           "'a: b': 'c #d'",
                           "a: \" leading\\n lines\\n\"",
                           "a: \"\\nfirst empty\"",
                           "a: \"x\\n\\n\\n\"",
                           "a: \"x\\n\"",
                           "a: \"x\\n  y\\n z\"",
                           "a: \"tab\\tx\\r\\n\"",
                           "a: 'null'",
                           "a: \"~\"",
                           "'null': 1",
                           "'1': '2'",
                           "a: 0x1f",
                           "a: \"1:2\"",
                           "a: 'x:'",
                           "a: \"gr\\u00fc\\u00df\\nzeile\"",
                           "a: \"\\x01\\x7f\"",
                           "- a: 1\n  b: 2\n- []\n- ~\n- |\n  x\n"}) {
    const YamlNode tree = tree_of(text);
    expect_same(tree, tree_of(emit_yaml(tree)));
  }
}

TEST(EmitYaml, TheLibrarysLabsAreReadBack) {
  for (const auto& entry : std::filesystem::directory_iterator("topologies/labs")) {
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    const YamlNode tree = tree_of(text.str());
    expect_same(tree, tree_of(emit_yaml(tree)));
  }
}

}  // namespace
}  // namespace heddle::format
