#include "topologies/engine/format/scalar.h"

#include <gtest/gtest.h>

#include "topologies/engine/format/reader.h"

namespace heddle::format {
namespace {

TEST(Scalar, AnyTextIsReadBack) {
  for (const std::string text : {"",
                                 "plain",
                                 "null",
                                 "Yes",
                                 "12",
                                 "0x1f",
                                 "1e3",
                                 "a b",
                                 "a: b",
                                 "- a",
                                 "#no",
                                 "\"quoted\"",
                                 "back\\slash",
                                 "two\nlines",
                                 "tab\t",
                                 "${x}",
                                 "*alias",
                                 "&anchor",
                                 "!tag",
                                 "%",
                                 "@",
                                 "`",
                                 "\x01\x1f\x7f",
                                 "gr\xc3\xbc\xc3\x9f"}) {
    const auto node = parse_yaml("key: " + yaml_scalar(text), "f");
    ASSERT_TRUE(node) << text << ": " << node.error().text();
    EXPECT_EQ(node->find("key")->scalar, text);
    EXPECT_EQ(node->find("key")->kind, YamlNode::Kind::scalar) << text;
  }
}

}  // namespace
}  // namespace heddle::format
