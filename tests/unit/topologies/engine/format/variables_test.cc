#include "topologies/engine/format/variables.h"

#include <gtest/gtest.h>

#include "topologies/engine/format/pattern.h"

namespace heddle::format {
namespace {

std::optional<std::string> known(std::string_view name) {
  if (name == "a") return "1";
  if (name == "h1.address") return "10.0.0.1";
  return std::nullopt;
}
std::string kept(const std::string& text) {
  return *expand(text, known, Unknown::keep);
}

TEST(Variables, KnownNamesAreReplacedAndTheShellsStay) {
  EXPECT_EQ(kept("x${a}y${h1.address}"), "x1y10.0.0.1");
  EXPECT_EQ(kept("${b} ${x##*/} $a ${} ${a"), "${b} ${x##*/} $a ${} ${a");
  EXPECT_EQ(kept("$${a}"), "${a}");
}

TEST(Variables, DefaultsAreUsedWhenAVariableIsUnset) {
  EXPECT_EQ(*expand("${b:-2}${a:=3}", known, Unknown::refuse), "21");
  EXPECT_FALSE(expand("${b}", known, Unknown::refuse));
}

TEST(Variables, ExpansionIsBounded) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "${big}";
  const auto find = [](std::string_view) { return std::optional(std::string(1000, 'x')); };
  EXPECT_FALSE(expand(text, find, Unknown::keep));
}

TEST(Pattern, FindsAndExtracts) {
  const auto join = Pattern::compile("^  (heddle swarm join .*)$");
  ASSERT_TRUE(join);
  EXPECT_EQ(join->extract("To add:\n  heddle swarm join x\nbye\n"), "heddle swarm join x");
  EXPECT_EQ(Pattern::compile("b+")->extract("abbc"), "bb");
  EXPECT_FALSE(Pattern::compile("z")->extract("abc"));
}

TEST(Pattern, HugeAutomataAreRefused) {
  EXPECT_FALSE(Pattern::compile("((a{100}){100}){100}"));
  EXPECT_FALSE(Pattern::compile("a{1000}"));
  EXPECT_FALSE(Pattern::compile(""));
  EXPECT_FALSE(Pattern::compile(std::string(2000, 'a')));
}

TEST(Pattern, LongTextsDoNotOverflowTheStack) {
  EXPECT_TRUE(Pattern::compile("(a|b)*c")->found_in(std::string(1 << 20, 'a') + "c"));
}

}  // namespace
}  // namespace heddle::format
