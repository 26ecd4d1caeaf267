#include "topologies/engine/steps/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <sstream>

#include "topologies/engine/steps/print.h"

namespace heddle::steps {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using control::Op;
using control::Reply;
using control::Request;

// A lab whose time moves only by pauses, and whose commands print what the test says.
class FakeLab final : public LabControl {
 public:
  std::function<Result<Reply>(const Request&)> answer;
  std::vector<Request> asked;

  Result<Reply> ask(const Request& request) override {
    const std::lock_guard lock(mutex_);
    asked.push_back(request);
    return answer(request);
  }
  std::chrono::steady_clock::time_point now() override { return now_; }
  void pause(std::chrono::milliseconds time) override { now_ += time; }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point now_{1h};
};

Reply prints(const std::string& text, int exit = 0) {
  Reply reply;
  reply.result = control::ExecResult{};
  reply.result->out = text;
  reply.result->exit = exit;
  return reply;
}

format::Lab lab_of(const std::string& steps) {
  auto lab = format::parse_lab("name: x\nhosts: {h1: , h2: }\nsteps:\n" + steps, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return *std::move(lab);
}

RunReport run(FakeLab& fake, const std::string& steps) {
  Silent silent;
  return run_steps(lab_of(steps), {{"h2.address", "10.0.0.2"}}, fake, silent);
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

TEST(Runner, FaultsAskForWhatTheySay) {
  FakeLab fake;
  fake.answer = [](const Request&) { return Reply{}; };
  const RunReport report =
      run(fake,
          "- kill: [h1, h2]\n- start: h1\n- kill-daemon: h1\n- restart-daemon: h1\n- pause: 2s\n");
  EXPECT_TRUE(report.passed);
  std::vector<Op> ops;
  for (const Request& request : fake.asked) ops.push_back(request.op);
  EXPECT_THAT(ops, ElementsAre(Op::kill, Op::kill, Op::start, Op::kill_daemon, Op::restart_daemon));
  EXPECT_EQ(report.time, 2s);
}

TEST(Runner, ARefusedFaultFailsItsStep) {
  FakeLab fake;
  fake.answer = [](const Request&) -> Result<Reply> {
    return fail(Errc::conflict, "h1 is down already");
  };
  const RunReport report = run(fake, "- kill: h1\n");
  EXPECT_THAT(report.steps[0].problems, ElementsAre("h1 is down already"));
}

TEST(Printer, ShowsStepCommandResultAndTime) {
  FakeLab fake;
  fake.answer = [](const Request&) { return prints("one\x1b[2Jtwo\n"); };
  std::ostringstream out;
  Printer printer(out, Printer::Colour::no);
  const auto report = run_steps(lab_of("- {name: greet, on: h1, run: echo}\n"), {}, fake, printer);
  EXPECT_EQ(out.str(), "\n[1/1] greet\n  h1# echo\n  | one?[2Jtwo\n  ok  0.00 s\n");
  EXPECT_THAT(format_json("x", report), HasSubstr("\"passed\":true"));
  EXPECT_EQ(format_summary("x", report), "lab x: all 1 steps held, in 0.00 s\n");
}

TEST(Printer, ShowsTheClaimedValuesOfALongReport) {
  FakeLab fake;
  fake.answer = [](const Request&) { return prints(R"({"lost":0,"sent":9,"more":[1,2]})"); };
  std::ostringstream out;
  Printer printer(out, Printer::Colour::no);
  run_steps(lab_of("- {on: h1, run: a, expect: {json: {.lost: 0, .sent: {at-least: 1}}}}\n"), {},
            fake, printer);
  EXPECT_THAT(out.str(), HasSubstr("  | lost 0 · sent 9\n"));
}

}  // namespace
}  // namespace heddle::steps
