#include "common/yaml/document.h"

#include <gtest/gtest.h>

namespace heddle::yaml {
namespace {

// Goal: foreign YAML costs bounded time and memory, and errors tell where they are.

std::string yaml_error(const std::string& text) {
  const auto parsed = parse_yaml(text, "f.yml");
  return parsed ? "" : parsed.error().text();
}

TEST(Yaml, KeepsPlacesOrderAndQuotes) {
  const auto root = parse_yaml("b: 1\na:\n  - x\n  - \"~\"\n", "f.yml");
  ASSERT_TRUE(root);
  ASSERT_EQ(root->entries.size(), 2U);
  EXPECT_EQ(root->entries[0].key, "b");
  const YamlNode* list = root->find("a");
  ASSERT_EQ(list->items.size(), 2U);
  EXPECT_EQ(list->items[1].mark.line, 4);
  EXPECT_EQ(list->items[1].mark.column, 5);
  EXPECT_EQ(list->items[1].kind, YamlNode::Kind::scalar);  // quoted: text, not null
}

TEST(Yaml, PlainNullsAreNull) {
  const auto root = parse_yaml("a: ~\nb:\nc: null\n", "f.yml");
  ASSERT_TRUE(root);
  for (const auto& entry : root->entries) EXPECT_EQ(entry.value.kind, YamlNode::Kind::null);
}

TEST(Yaml, AliasesAreExpandedAndMergesDoNotOverwrite) {
  const auto root = parse_yaml("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  a: 9\nz: *x\n", "f.yml");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->find("y")->find("a")->scalar, "9");
  EXPECT_EQ(root->find("y")->find("b")->scalar, "2");
  EXPECT_EQ(root->find("z")->find("b")->scalar, "2");
}

TEST(Yaml, BillionLaughsAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 0; j < 8; ++j) text += ", " + last;
    text += "]\n";
  }
  EXPECT_NE(yaml_error(text).find("aliases nested in aliases"), std::string::npos)
      << yaml_error(text);
}

TEST(Yaml, DeepNestingIsRefusedWithItsPlace) {
  const std::string error = yaml_error(std::string(1000, '['));
  EXPECT_NE(error.find("f.yml:1:"), std::string::npos) << error;
  EXPECT_NE(error.find("nested deeper"), std::string::npos) << error;
}

TEST(Yaml, AnAliasInsideItsOwnValueIsRefused) {
  EXPECT_NE(yaml_error("a: &a [*a]\n").find("inside the value"), std::string::npos);
}

TEST(Yaml, DuplicateKeysAreRefused) {
  EXPECT_EQ(yaml_error("a: 1\nb: 2\na: 3\n"), "f.yml:3:1: key \"a\" stands twice in the same map");
}

TEST(Yaml, SyntaxErrorsNameTheirPlace) {
  EXPECT_NE(yaml_error("a: [1, 2\nb: 3\n").find("f.yml:2:"), std::string::npos);
}

TEST(Yaml, SizesZeroBytesAndSeveralDocumentsAreRefused) {
  EXPECT_NE(yaml_error(std::string(kMaxFileBytes + 1, 'a')).find("larger than"), std::string::npos);
  EXPECT_NE(yaml_error(std::string("a: b\0c", 6)).find("zero byte"), std::string::npos);
  EXPECT_NE(yaml_error("a: 1\n---\nb: 2\n").find("more than one"), std::string::npos);
}

TEST(Yaml, AnEmptyFileIsNull) {
  const auto root = parse_yaml("", "f.yml");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->kind, YamlNode::Kind::null);
}

}  // namespace
}  // namespace heddle::yaml
