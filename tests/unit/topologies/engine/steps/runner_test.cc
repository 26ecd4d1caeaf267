#include "topologies/engine/steps/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/fake_lab.h"
#include "topologies/engine/steps/print.h"

namespace heddle::steps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using control::Request;

// Steps see faults through this alone; what becomes of them is the scenario's.
class FakeDisturbances final : public Disturbances {
 public:
  std::vector<std::string> told;
  Problems answer;

  Problems strike(const format::FaultAction& action, const format::Target& on) override {
    return tell(std::string(format::name_of(action)), on.names);
  }
  Problems start(const std::vector<std::string>& names) override { return tell("start", names); }
  Problems mend(const format::MendAction& action) override { return tell("mend", action.names); }
  Problems timeline(format::TimelineAction::What, const Variables& variables) override {
    return tell("timeline", {variables.contains("token") ? variables.at("token") : ""});
  }

 private:
  Problems tell(std::string what, const std::vector<std::string>& names) {
    for (const std::string& name : names) what += " " + name;
    told.push_back(what);
    return answer;
  }
};

class Quiet final : public Listener {
 public:
  void started(const StepReport&) override {}
  void finished(const StepReport&) override {}
};

format::Lab lab_of(const std::string& steps) {
  auto lab = format::parse_lab("name: x\nhosts: {h1: , h2: }\nsteps:\n" + steps, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return *std::move(lab);
}

RunReport run(FakeLab& fake, FakeDisturbances& disturbances, const std::string& steps) {
  Quiet quiet;
  return run_steps(lab_of(steps), {{"h2.address", "10.0.0.2"}}, fake, disturbances, quiet);
}
RunReport run(FakeLab& fake, const std::string& steps) {
  FakeDisturbances none;
  return run(fake, none, steps);
}

TEST(Runner, StopsAtTheFirstStepThatDoesNotHold) {
  FakeLab fake;
  fake.answer = [](const Request& request) { return prints("", request.target == "h2" ? 1 : 0); };
  const RunReport report =
      run(fake, "- {on: h1, run: a}\n- {on: h2, run: b}\n- {on: h1, run: c}\n");
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.steps.size(), 2U);
  EXPECT_EQ(report.total, 3U);
}

TEST(Runner, EventuallyTriesUntilItHolds) {
  FakeLab fake;
  int calls = 0;
  fake.answer = [&](const Request&) { return prints("", ++calls < 4 ? 1 : 0); };
  const RunReport report = run(fake, "- {on: h1, run: a, eventually: 1s, every: 100ms}\n");
  EXPECT_TRUE(report.passed);
  EXPECT_EQ(report.steps[0].tries, 4);
  EXPECT_EQ(report.steps[0].time, 300ms);
}

TEST(Runner, EventuallyEndsAtItsTime) {
  FakeLab fake;
  fake.answer = [](const Request&) { return prints("no", 1); };
  const RunReport report = run(fake, "- {on: h1, run: a, eventually: 1s, every: 250ms}\n");
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.steps[0].tries, 5);
  EXPECT_THAT(report.steps[0].problems, ElementsAre(HasSubstr("status 1"), HasSubstr("5 tries")));
}

TEST(Runner, CapturesAreUsedByLaterSteps) {
  FakeLab fake;
  fake.answer = [](const Request&) { return prints("join me with TOKEN-7\n"); };
  const RunReport report = run(fake,
                               "- {on: h1, run: a, capture: {token: \"TOKEN-[0-9]\"}}\n"
                               "- {on: h2, run: \"join ${token} ${h2.address} ${shell}\"}\n");
  EXPECT_TRUE(report.passed);
  EXPECT_EQ(fake.asked[1].command[2], "join TOKEN-7 10.0.0.2 ${shell}");
}

TEST(Runner, RunsOnSeveralPlacesAndTellsThemApart) {
  FakeLab fake;
  fake.answer = [](const Request& request) { return prints("from " + request.target + "\n"); };
  const RunReport report = run(fake, "- {on: [h1, h2], run: a}\n");
  EXPECT_EQ(report.steps[0].output, "h1: from h1\nh2: from h2\n");
}

TEST(Runner, FaultsGoWhereTheyAreMade) {
  FakeLab fake;
  FakeDisturbances disturbances;
  const RunReport report = run(fake, disturbances,
                               "- kill: [h1, h2]\n- start: h1\n- kill-daemon: h1\n"
                               "- restart-daemon: h1\n- pause: 2s\n- cut: h1\n- mend: h1\n"
                               "- partition: [[h1], [h2]]\n- heal: true\n- freeze: h2\n"
                               "- thaw: h2\n- clock: {on: h1, by: -5s}\n- fill-disk: h1\n"
                               "- free-disk: h1\n");
  EXPECT_TRUE(report.passed);
  EXPECT_TRUE(fake.asked.empty());
  EXPECT_THAT(disturbances.told,
              ElementsAre("kill h1 h2", "start h1", "kill-daemon h1", "restart-daemon h1", "cut h1",
                          "mend h1", "partition", "mend", "pause h2", "mend h2", "clock h1",
                          "disk-full h1", "mend h1"));
  EXPECT_EQ(report.time, 2s);
  EXPECT_EQ(report.steps[5].at, 2s);
}

TEST(Runner, ARefusedFaultFailsItsStep) {
  FakeLab fake;
  FakeDisturbances disturbances;
  disturbances.answer = {"h1 is down already"};
  const RunReport report = run(fake, disturbances, "- kill: h1\n");
  EXPECT_THAT(report.steps[0].problems, ElementsAre("h1 is down already"));
}

TEST(Runner, TheTimelineKnowsWhatWasCaptured) {
  FakeLab fake;
  FakeDisturbances disturbances;
  fake.answer = [](const Request&) { return prints("T7\n"); };
  auto lab = format::parse_lab(
      "name: x\nhosts: {h1: }\nsteps: [{on: h1, run: a, capture: token}, {faults: run}]\n"
      "checks: [{on: h1, ping: 10.0.0.1}]\n",
      "f.yml", {});
  ASSERT_TRUE(lab) << lab.error().text();
  Quiet quiet;
  EXPECT_TRUE(run_steps(*lab, {}, fake, disturbances, quiet).passed);
  EXPECT_THAT(disturbances.told, ElementsAre("timeline T7"));
}

TEST(Printer, ShowsStepCommandResultAndTime) {
  FakeLab fake;
  fake.answer = [](const Request&) { return prints("one\x1b[2Jtwo\n"); };
  std::ostringstream out;
  Printer printer(out, Printer::Colour::no);
  FakeDisturbances none;
  run_steps(lab_of("- {name: greet, on: h1, run: echo}\n"), {}, fake, none, printer);
  EXPECT_EQ(out.str(), "\n[1/1] greet\n  h1# echo\n  | one?[2Jtwo\n  ok  0.00 s\n");
}

TEST(Printer, ShowsTheClaimedValuesOfALongReport) {
  FakeLab fake;
  fake.answer = [](const Request&) { return prints(R"({"lost":0,"sent":9,"more":[1,2]})"); };
  std::ostringstream out;
  Printer printer(out, Printer::Colour::no);
  FakeDisturbances none;
  run_steps(lab_of("- {on: h1, run: a, expect: {json: {.lost: 0, .sent: {at-least: 1}}}}\n"), {},
            fake, none, printer);
  EXPECT_THAT(out.str(), HasSubstr("  | lost 0 · sent 9\n"));
}

}  // namespace
}  // namespace heddle::steps
