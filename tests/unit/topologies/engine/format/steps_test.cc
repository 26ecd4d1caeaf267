#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "topologies/engine/format/lab.h"

namespace heddle::format {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kHead =
    "name: x\nhosts: {h1: , h2: }\ntopology: {nodes: {br: {kind: bridge}}}\n"
    "steps:\n";

Lab parse_good(const std::string& steps) {
  auto lab = parse_lab(kHead + steps, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : Lab{};
}
std::string step_error(const std::string& steps) {
  const auto lab = parse_lab(kHead + steps, "f.yml", {});
  return lab ? "" : lab.error().text();
}

TEST(Steps, AShellLineAndAListOfWords) {
  const Lab lab = parse_good("- {on: h1, run: \"a | b\"}\n- {on: [h1, h2], run: [a, b c]}\n");
  EXPECT_THAT(std::get<RunAction>(lab.steps[0].action).command,
              ElementsAre("/bin/sh", "-ec", "a | b"));
  EXPECT_THAT(std::get<RunAction>(lab.steps[1].action).command, ElementsAre("a", "b c"));
  EXPECT_THAT(std::get<RunAction>(lab.steps[1].action).on, ElementsAre("h1", "h2"));
}

TEST(Steps, ExpectationsAreReadWhole) {
  const Lab lab = parse_good(R"(
- on: h1
  run: x
  timeout: 5s
  eventually: 3s
  every: 50ms
  expect:
    exit: 3
    stdout: {contains: [a, b], lacks: c, equals: d, matches: "e+", lines: 2}
    stderr: oops
    json: {.a.0: 1, /b: {at-least: 2, at-most: 3.5}}
    at-most: 200ms
)");
  const Step& step = lab.steps.at(0);
  EXPECT_EQ(step.eventually, 3s);
  EXPECT_EQ(step.every, 50ms);
  EXPECT_EQ(std::get<RunAction>(step.action).timeout, 5s);
  EXPECT_EQ(step.expect.exit, 3);
  EXPECT_THAT(step.expect.out.contains, ElementsAre("a", "b"));
  EXPECT_THAT(step.expect.out.lacks, ElementsAre("c"));
  EXPECT_EQ(step.expect.out.equals, "d");
  EXPECT_EQ(step.expect.out.lines, 2);
  EXPECT_THAT(step.expect.err.contains, ElementsAre("oops"));
  ASSERT_EQ(step.expect.json.size(), 2U);
  EXPECT_EQ(step.expect.json[0].pointer, "/a/0");
  EXPECT_EQ(step.expect.json[0].equals, "1");
  EXPECT_EQ(step.expect.json[1].at_most, 3.5);
  EXPECT_EQ(step.expect.at_most, 200ms);
}

TEST(Steps, FaultsTakeOneHostOrMore) {
  const Lab lab = parse_good("- kill: h1\n- start: [h1, h2]\n- kill-daemon: h1\n- pause: 10ms\n");
  EXPECT_THAT(std::get<KillAction>(lab.steps[0].action).hosts, ElementsAre("h1"));
  EXPECT_THAT(std::get<StartAction>(lab.steps[1].action).hosts, ElementsAre("h1", "h2"));
  EXPECT_EQ(std::get<PauseAction>(lab.steps[3].action).time, 10ms);
}

struct Bad {
  const char* steps;
  const char* error;
};
class BadStep : public ::testing::TestWithParam<Bad> {};
TEST_P(BadStep, IsRefused) {
  EXPECT_THAT(step_error(GetParam().steps), HasSubstr(GetParam().error));
}
INSTANTIATE_TEST_SUITE_P(
    Steps, BadStep,
    ::testing::Values(
        Bad{"- {name: a}", "says nothing to do"},
        Bad{"- {on: h1, run: a, kill: h1}", "does two things, run and kill"},
        Bad{"- {run: a}", "steps[0].on: missing"},
        Bad{"- {on: h9, run: a}", "did you mean \"h1\"?"}, Bad{"- {on: br, run: a}", "is a bridge"},
        Bad{"- {kill: h9}", "no host or linux node \"h9\""},
        Bad{"- {kill: []}", "names no host or linux node"},
        Bad{"- {on: h1, run: \"\"}", "is empty"},
        Bad{"- {on: h1, run: a, expct: {}}",
            "f.yml:5:20: steps[0].expct: unknown key; did you mean "
            "\"expect\"?"},
        Bad{"- {on: h1, run: a, expect: {stdout: {matches: \"(\"}}}", "not a regular expression"},
        Bad{"- {on: h1, run: a, timeout: 5}", "must be a time"},
        Bad{"- {on: h1, run: a, every: 5s}", "add eventually"},
        Bad{"- {stop: nothing}", "no background process \"nothing\""},
        Bad{"- {on: h1, run: a, background: b}\n- {on: h1, run: a, background: b}", "runs already"},
        Bad{"- {on: h1, run: a, background: b, expect: {exit: 1}}", "no output yet"},
        Bad{"- {kill: h1, expect: {}}", ""},
        Bad{"- {on: h1, run: \"${join}\"}\n- {on: h1, run: a, capture: {join: x}}",
            "${join} is captured by a later step"},
        Bad{"- {on: [h1, h2], run: a, capture: {j: x}}", "one place only"},
        Bad{"- {on: h1, run: a, capture: {j: \"(\"}}", "not a regular expression"}));

TEST(Steps, AStoppedNameIsFreeAgain) {
  EXPECT_EQ(
      step_error(
          "- {on: h1, run: a, background: b}\n- stop: b\n- {on: h1, run: a, background: b}\n"),
      "");
}

}  // namespace
}  // namespace heddle::format
