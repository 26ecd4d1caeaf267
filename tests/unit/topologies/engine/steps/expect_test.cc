#include "topologies/engine/steps/expect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::steps {
namespace {

using control::ExecResult;
using format::Expectation;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ExecResult printed(const std::string& out, int exit = 0) {
  ExecResult result;
  result.out = out;
  result.exit = exit;
  return result;
}

TEST(Expect, NothingExpectedMeansStatusZero) {
  EXPECT_THAT(broken_claims({}, printed("x"), {}), IsEmpty());
  EXPECT_THAT(broken_claims({}, printed("x", 1), {}), ElementsAre("it ended with status 1, not 0"));
}

TEST(Expect, TextClaimsAreJudgedOneByOne) {
  Expectation expect;
  expect.out.contains = {"a", "z"};
  expect.out.lacks = {"b"};
  expect.out.equals = "a b\n\n";
  expect.out.matches = "^a .$";
  expect.out.lines = 2;
  EXPECT_THAT(broken_claims(expect, printed("a b\n"), {}),
              ElementsAre(HasSubstr("does not contain \"z\""), HasSubstr("must not"),
                          HasSubstr("has 1 lines, not 2")));
}

TEST(Expect, VariablesStandInClaims) {
  Expectation expect;
  expect.out.contains = {"${h1.address}"};
  EXPECT_THAT(broken_claims(expect, printed("at 10.0.0.1"), {{"h1.address", "10.0.0.1"}}),
              IsEmpty());
}

TEST(Expect, JsonClaimsCompareNumbersAndTexts) {
  Expectation expect;
  expect.json = {{.pointer = "/n", .equals = "3", .at_least = {}, .at_most = {}},
                 {.pointer = "/s", .equals = "x", .at_least = {}, .at_most = {}},
                 {.pointer = "/n", .equals = {}, .at_least = 4, .at_most = {}},
                 {.pointer = "/n", .equals = {}, .at_least = {}, .at_most = 2},
                 {.pointer = "/missing", .equals = "1", .at_least = {}, .at_most = {}},
                 {.pointer = "/s", .equals = {}, .at_least = 1, .at_most = {}}};
  EXPECT_THAT(broken_claims(expect, printed(R"({"n":3.0,"s":"x"})"), {}),
              ElementsAre(HasSubstr("not at least 4"), HasSubstr("not at most 2"),
                          "standard output has no /missing", "/s is x, no number"));
  EXPECT_THAT(broken_claims(expect, printed("oops"), {}), ElementsAre(HasSubstr("is not JSON")));
}

TEST(Expect, ATimedOutCommandSaysSo) {
  ExecResult result;
  result.timed_out = true;
  result.exit = 137;
  Expectation expect;
  expect.any_exit = true;
  EXPECT_THAT(broken_claims(expect, result, {}), ElementsAre(HasSubstr("did not end in time")));
}

TEST(Capture, TakesAGroupTheWholeMatchOrAll) {
  const auto got = capture({{"a", "x(.)z"}, {"b", "y."}, {"c", ""}}, "xyz\n");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->at("a"), "y");
  EXPECT_EQ(got->at("b"), "yz");
  EXPECT_EQ(got->at("c"), "xyz");
  EXPECT_EQ(capture({{"a", "q"}}, "xyz").error().code(), Errc::not_found);
}

}  // namespace
}  // namespace heddle::steps
