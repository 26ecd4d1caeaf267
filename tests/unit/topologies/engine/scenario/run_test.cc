#include "topologies/engine/scenario/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

#include "tests/support/fake_lab.h"
#include "topologies/engine/faults/shrink.h"
#include "topologies/engine/scenario/report.h"

namespace heddle::scenario {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using namespace std::chrono_literals;
using control::Op;
using control::Reply;
using control::Request;
using steps::FakeLab;

// Plays a deployed lab: what is down, and probes that see the web of h2 as long as h2 has power and
// its link.
class World {
 public:
  World() {
    fake.answer = [this](const Request& request) { return answer(request); };
  }
  FakeLab fake;
  std::map<std::string, bool> down;
  std::map<std::string, bool> cut;
  std::function<bool()> web_answers = [this] { return !down["h2"] && !cut["h2:eth0"]; };

  Report run(const format::Lab& lab, std::uint64_t seed = 1, Milliseconds stall = 0ms) {
    Silent silent;
    return scenario::run(lab,
                         {.seed = seed, .variables = {}, .take_worst_stall = [=] { return stall; }},
                         fake, silent);
  }

 private:
  struct Process {
    std::chrono::steady_clock::time_point seen;
    std::uint64_t printed = 0;
    bool lasting = false;
  };
  Result<Reply> answer(const Request& request) {
    Reply reply;
    switch (request.op) {
      case Op::kill:
        down[request.target] = true;
        return reply;
      case Op::start:
        down[request.target] = false;
        return reply;
      case Op::cut:
        cut[request.target] = true;
        return reply;
      case Op::mend:
        cut[request.target] = false;
        return reply;
      case Op::exec:
        if (down[request.target]) return fail(Errc::unavailable, request.target + " is down");
        processes_[request.background] = {
            .seen = fake.now(), .printed = 0, .lasting = request.command.at(0) == "heddle-traffic"};
        reply.result = control::ExecResult{};
        return reply;
      case Op::peek:
      case Op::await:
        return peek(processes_.at(request.target));
      default:
        reply.result = control::ExecResult{};
        return reply;
    }
  }
  // A look since the last time, which took a millisecond and ends now.
  Result<Reply> peek(Process& process) {
    Reply reply;
    reply.result = control::ExecResult{};
    if (!process.lasting) {
      reply.result->exit = web_answers() ? 0 : 1;
      return reply;
    }
    const auto us = [](auto time) {
      return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    };
    const boost::json::object line{{"from_us", us(fake.now() - 1ms)},
                                   {"to_us", us(fake.now())},
                                   {"ok", web_answers()},
                                   {"why", web_answers() ? "" : "refused"}};
    reply.result->out = boost::json::serialize(line) + "\n";
    process.printed += reply.result->out.size();
    reply.result->printed_bytes = process.printed;
    reply.result->running = true;
    return reply;
  }
  std::map<std::string, Process> processes_;
};

format::Lab lab_of(const std::string& rest) {
  auto lab = format::parse_lab("name: x\nhosts: {h1: , h2: , h3: }\n" + rest, "f.yml", {});
  EXPECT_TRUE(lab) << lab.error().text();
  return lab ? *std::move(lab) : format::Lab{};
}

constexpr const char* kWeb =
    "checks: [{name: web, on: [h1], http: \"http://10.99.0.12/\", always: true, every: 50ms}]\n";

std::vector<std::string> texts(const Report& report, Entry::What what) {
  std::vector<std::string> out;
  for (const Entry& entry : report.entries) {
    if (entry.what == what) out.push_back(entry.text);
  }
  return out;
}

TEST(Run, FaultsStrikeAndEndAtTheirTimes) {
  World world;
  const Report report = world.run(lab_of("faults: [{at: 1s, kill: h3, for: 2s}]\n"));
  EXPECT_TRUE(report.passed());
  std::vector<std::string> told;
  for (const Entry& entry : report.entries)
    told.push_back(std::to_string(entry.at.count()) + " " + std::string(name_of(entry.what)));
  EXPECT_THAT(told, ElementsAre("0 began", "1000 fault", "3000 undo", "3000 ended"));
  EXPECT_THAT(world.fake.ops(), ElementsAre(Op::kill, Op::start, Op::inspect));
}

TEST(Run, AlwaysIsWatchedAllThroughAndEachFailureHasItsTime) {
  World world;
  const Report report =
      world.run(lab_of(std::string("faults: [{at: 1s, kill: h2, for: 1s}]\n") + kWeb));
  EXPECT_FALSE(report.held);
  ASSERT_THAT(report.checks, SizeIs(1));
  ASSERT_THAT(report.checks[0].verdict.outages, SizeIs(1));
  const auto& outage = report.checks[0].verdict.outages[0];
  EXPECT_GE(outage.from, 990ms);
  EXPECT_LE(outage.from, 1100ms);
  EXPECT_GE(outage.to, 1900ms);
  EXPECT_LE(outage.to, 2000ms);
  EXPECT_THAT(texts(report, Entry::What::broke), ElementsAre("web (h1): refused"));
  EXPECT_THAT(texts(report, Entry::What::recovered), SizeIs(1));
  EXPECT_EQ(report.failure(), "check web");
}

TEST(Run, ALookFollowsTheLastEvent) {
  World world;
  const Report report = world.run(lab_of(std::string("faults: [{at: 1s, kill: h2}]\n") + kWeb));
  EXPECT_FALSE(report.held);  // though nothing happens after the power cut
}

TEST(Run, EventuallyIsTriedAfterTheEnd) {
  World world;
  const auto lab = lab_of(
      "faults: [{at: 100ms, kill: h2}]\n"
      "checks: [{name: web, on: h1, http: \"http://10.99.0.12/\", eventually: 2s}]\n");
  const auto start = world.fake.now();
  world.fake.paused = [&] {
    if (world.fake.now() - start > 1500ms) world.down["h2"] = false;
  };
  const Report report = world.run(lab);
  EXPECT_TRUE(report.passed()) << format_result(report);
  World never;
  const Report late = never.run(lab);
  EXPECT_FALSE(late.held);
  EXPECT_THAT(late.checks[0].verdict.text, HasSubstr("within 2.000 s after the end"));
}

TEST(Run, CommandsAreLooksToo) {
  World world;
  const Report report =
      world.run(lab_of("faults: [{at: 1s, cut: h2, for: 1s}]\n"
                       "checks: [{name: cmd, on: h1, exec: true, always: true}]\n"));
  EXPECT_FALSE(report.held);
  EXPECT_THAT(report.checks[0].verdict.outages, SizeIs(1));
  EXPECT_THAT(report.checks[0].verdict.text, HasSubstr("status 1"));
}

TEST(Run, ALabWithoutFaultsIsLookedAtOnce) {
  World world;
  const Report report = world.run(lab_of(kWeb));
  EXPECT_TRUE(report.passed()) << format_result(report);
  EXPECT_GE(report.checks[0].verdict.looks, 1U);
  EXPECT_LT(report.lasted, 1s);
}

TEST(Run, WithoutFaultsAndChecksThereIsNoTimeline) {
  World world;
  const Report report = world.run(lab_of("steps: [{pause: 1s}]\n"));
  EXPECT_TRUE(report.passed());
  EXPECT_FALSE(report.began);
  EXPECT_THAT(report.entries, IsEmpty());
}

TEST(Run, StepsDecideWhenTheTimelineBegins) {
  World world;
  const Report report = world.run(
      lab_of("steps: [{pause: 2s}, {faults: run}, {kill: h3}]\nfaults: [{at: 1s, cut: h1}]\n"));
  EXPECT_TRUE(report.passed());
  EXPECT_EQ(report.began, 2s);
  EXPECT_THAT(world.fake.ops(), ElementsAre(Op::cut, Op::inspect, Op::kill));
}

TEST(Run, AStepThatRunsTheTimelineFailsWithIt) {
  World world;
  const Report report = world.run(lab_of(
      std::string("steps: [{faults: run}, {kill: h3}]\nfaults: [{at: 1s, cut: h2}]\n") + kWeb));
  EXPECT_FALSE(report.steps.passed);
  EXPECT_THAT(report.steps.steps, SizeIs(1));
  EXPECT_EQ(report.failure(), "check web");
}

TEST(Run, StepsKnowWhatTheTimelineBroke) {
  World world;
  const Report report = world.run(
      lab_of("steps: [{kill: h1}, {faults: run}]\nfaults: [{at: 1s, kill: h1, for: 1s}]\n"));
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(texts(report, Entry::What::passed_over), ElementsAre("h1 is down already"));
  EXPECT_TRUE(world.down["h1"]);  // the step's power cut lasts
}

TEST(Run, AFaultThatCannotBeMadeFailsTheRun) {
  World world;
  world.fake.answer = [](const Request& request) -> Result<Reply> {
    if (request.op == Op::cut) return fail(Errc::unsupported, "no such thing here");
    return Reply{};
  };
  const Report report = world.run(lab_of("faults: [{at: 1s, cut: h1}]\n"));
  EXPECT_FALSE(report.held);
  EXPECT_THAT(report.problems, ElementsAre("no such thing here"));
  EXPECT_TRUE(report.skipped());  // the machine's fault, not the lab's
  EXPECT_THAT(format_verdict(report), HasSubstr("skipped: no such thing here"));
}

TEST(Run, AMachineThatFellBehindMakesARunInvalid) {
  World world;
  const auto lab = lab_of(std::string("fidelity: {max-stall: 100ms}\n") + kWeb);
  EXPECT_TRUE(world.run(lab, 1, 100ms).passed());
  const Report report = world.run(lab, 1, 101ms);
  EXPECT_TRUE(report.held);
  EXPECT_FALSE(report.valid());
  EXPECT_FALSE(report.passed());
  EXPECT_THAT(format_result(report), HasSubstr("invalid"));
  EXPECT_THAT(format_junit(report), HasSubstr("<failure message=\"invalid"));
}

TEST(Run, EqualSeedsMakeEqualRuns) {
  const auto lab = lab_of("faults: [{every: 1s, until: 20s, kill: one, for: 500ms}]\n");
  const auto strikes = [&](std::uint64_t seed) {
    World world;
    return texts(world.run(lab, seed), Entry::What::fault);
  };
  EXPECT_EQ(strikes(5), strikes(5));
  EXPECT_NE(strikes(5), strikes(6));
}

// The web of h2 goes only when h2 is cut off while h3 is down: exactly two of all the faults.
TEST(Run, ShrinkingFindsTheFaultsThatBreakACheckTogether) {
  const auto lab = lab_of(std::string(R"(
faults:
  - {every: 1s, until: 3s, kill: h1, for: 200ms}
  - {at: 4s, kill: h3, for: 4s}
  - {at: 5s, partition: isolate, for: 1s}
  - {at: 6s, cut: h2, for: 1s}
  - {at: 7500ms, pause: h1, for: 100ms}
checks: [{name: web, on: h2, http: "http://10.99.0.12/", always: true, every: 50ms}]
)"));
  const auto run = [&](const faults::Occurrences& occurrences) {
    World world;
    world.web_answers = [&] { return !(world.down["h3"] && world.cut["h2:eth0"]); };
    return world.run(faults::with_faults(lab, occurrences));
  };
  const auto all = faults::expand(lab, 1);
  const std::string wanted = run(all).failure();
  ASSERT_EQ(wanted, "check web");
  const auto shrunk = faults::shrink(
      all,
      [&](const faults::Occurrences& some) -> Result<bool> {
        return run(some).failure() == wanted;
      },
      200);
  ASSERT_THAT(shrunk.occurrences, SizeIs(2));
  EXPECT_EQ(faults::describe(shrunk.occurrences[0]), "kill h3");
  EXPECT_EQ(faults::describe(shrunk.occurrences[1]), "cut h2");
}

TEST(Report, OneTimelineJsonAndJUnit) {
  World world;
  const Report report = world.run(
      lab_of(std::string(
                 "steps: [{name: \"a < b\", pause: 1s}]\nfaults: [{at: 1s, kill: h2, for: 1s}]\n") +
             kWeb));
  const std::string text = format_result(report);
  EXPECT_THAT(text, HasSubstr("0.000 s  step   a < b"));
  EXPECT_THAT(text, HasSubstr("2.000 s  fault   kill h2"));
  EXPECT_THAT(text, HasSubstr("check ! web (h1): refused"));
  EXPECT_THAT(text, HasSubstr("FAILED  web (h1) always"));
  const auto json = boost::json::parse(format_json(report));
  EXPECT_EQ(json.at("seed").as_int64(), 1);
  EXPECT_FALSE(json.at("passed").as_bool());
  EXPECT_EQ(json.at("checks").at(0).at("outages").as_array().size(), 1U);
  EXPECT_EQ(json.at("timeline").at("entries").at(1).at("text").as_string(), "kill h2");
  const auto& fault = json.at("timeline").at("entries").at(1);
  EXPECT_EQ(boost::json::serialize(fault.at("on")), "[\"h2\"]");
  EXPECT_EQ(fault.at("fault").as_string(), "kill");
  const std::string junit = format_junit(report);
  EXPECT_THAT(junit, HasSubstr("tests=\"2\" failures=\"1\""));
  EXPECT_THAT(junit, HasSubstr("name=\"a &lt; b\""));
  EXPECT_THAT(junit, Not(HasSubstr("a < b")));
}

}  // namespace
}  // namespace heddle::scenario
