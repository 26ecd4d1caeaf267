#include "topologies/engine/faults/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::faults {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;
using control::Op;
using control::Severed;

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    auto parsed = format::parse_lab(
        "name: x\nhosts: {h1: , h2: , h3: }\nsteps: [{on: h1, run: a, background: web}]\n", "f.yml",
        {});
    EXPECT_TRUE(parsed);
    lab_ = *std::move(parsed);
  }
  static Occurrence of(format::FaultAction action, std::vector<std::string> on) {
    return {.name = "", .action = std::move(action), .on = std::move(on)};
  }
  static std::vector<Op> ops(const Ledger::Decision& decision) {
    std::vector<Op> out;
    for (const auto& request : decision.requests) out.push_back(request.op);
    return out;
  }
  format::Lab lab_;
  Ledger ledger_{lab_};
  const Occurrence kill_ = of(format::fault::Kill{}, {"h1"});
};

TEST_F(LedgerTest, KillingWhatIsDownIsPassedOverAndItsEndStartsNothing) {
  EXPECT_THAT(ops(ledger_.strike(1, kill_)), ElementsAre(Op::kill));
  const auto second = ledger_.strike(2, kill_);
  EXPECT_THAT(second.requests, IsEmpty());
  EXPECT_THAT(second.passed_over, ElementsAre("h1 is down already"));
  EXPECT_THAT(ops(ledger_.undo(2, kill_)), IsEmpty());
  EXPECT_THAT(ops(ledger_.undo(1, kill_)), ElementsAre(Op::start));
}

TEST_F(LedgerTest, WhatAStepStartedIsNotStartedAgain) {
  ledger_.strike(1, kill_);
  EXPECT_THAT(ops(ledger_.start({"h1"})), ElementsAre(Op::start));
  EXPECT_THAT(ops(ledger_.undo(1, kill_)), IsEmpty());
  EXPECT_THAT(ledger_.start({"h1"}).passed_over, ElementsAre("h1 runs already"));
}

TEST_F(LedgerTest, ARestartIsAPowerCutAndPowerBack) {
  const auto restart = of(format::fault::Restart{}, {"h1"});
  EXPECT_THAT(ops(ledger_.strike(1, restart)), ElementsAre(Op::kill, Op::start));
  ledger_.strike(2, kill_);
  EXPECT_THAT(ledger_.strike(3, restart).passed_over, SizeIs(1));
}

TEST_F(LedgerTest, AMemberStandsStillAsLongAsAnybodyHoldsIt) {
  const auto pause = of(format::fault::Pause{}, {"h2"});
  EXPECT_THAT(ops(ledger_.strike(1, pause)), ElementsAre(Op::freeze));
  EXPECT_THAT(ops(ledger_.strike(2, pause)), IsEmpty());
  EXPECT_THAT(ops(ledger_.undo(1, pause)), IsEmpty());
  EXPECT_THAT(ops(ledger_.undo(2, pause)), ElementsAre(Op::thaw));
}

TEST_F(LedgerTest, APowerCutEndsAPause) {
  const auto pause = of(format::fault::Pause{}, {"h1"});
  ledger_.strike(1, pause);
  ledger_.strike(2, kill_);
  EXPECT_THAT(ops(ledger_.undo(1, pause)), IsEmpty());
  EXPECT_THAT(ledger_.strike(3, pause).passed_over, ElementsAre(HasSubstr("h1 is down")));
}

TEST_F(LedgerTest, HeddledDiesAndLivesWithItsHost) {
  const auto daemon = of(format::fault::KillDaemon{}, {"h1"});
  EXPECT_THAT(ops(ledger_.strike(1, daemon)), ElementsAre(Op::kill_daemon));
  EXPECT_THAT(ledger_.strike(2, daemon).passed_over, ElementsAre(HasSubstr("dead already")));
  ledger_.strike(3, kill_);
  EXPECT_THAT(ops(ledger_.undo(1, daemon)), IsEmpty());  // it is down
  ledger_.undo(3, kill_);
  EXPECT_THAT(ops(ledger_.strike(4, daemon)),
              ElementsAre(Op::kill_daemon));  // power brought it back
  EXPECT_THAT(ops(ledger_.undo(4, daemon)), ElementsAre(Op::restart_daemon));
}

TEST_F(LedgerTest, ALinkIsCutByAnyOfItsNamesAndMendedByTheLast) {
  const auto cut = of(format::fault::Cut{}, {"h1"});
  const auto same = of(format::fault::Cut{}, {"h1:eth0"});
  EXPECT_EQ(ledger_.strike(1, cut).requests.at(0).target, "h1:eth0");
  EXPECT_THAT(ops(ledger_.strike(2, same)), IsEmpty());
  EXPECT_THAT(ops(ledger_.undo(1, cut)), IsEmpty());
  EXPECT_THAT(ops(ledger_.undo(2, same)), ElementsAre(Op::mend));
}

TEST_F(LedgerTest, ImpairmentsLieOnEachOther) {
  format::fault::Impair light;
  light.impairment.forward.loss = 0.1;
  format::fault::Impair heavy;
  heavy.impairment.forward.loss = 0.5;
  const auto first = of(light, {"h1"});
  const auto second = of(heavy, {"h1"});
  ledger_.strike(1, first);
  EXPECT_DOUBLE_EQ(ledger_.strike(2, second).requests.at(0).forward->loss, 0.5);
  EXPECT_DOUBLE_EQ(ledger_.undo(2, second).requests.at(0).forward->loss, 0.1);
  const auto last = ledger_.undo(1, first);
  EXPECT_FALSE(last.requests.at(0).forward);  // again what the file says
  EXPECT_FALSE(last.requests.at(0).backward);
}

TEST_F(LedgerTest, PartitionsAreUnited) {
  using Shape = format::fault::Partition::Shape;
  const auto halves = of(format::fault::Partition{Shape::sides, {{"h1"}, {"h2"}}}, {});
  const auto one_way = of(format::fault::Partition{Shape::one_way, {{"h1"}, {"h2", "h3"}}}, {});
  EXPECT_THAT(ledger_.strike(1, halves).requests.at(0).severed,
              ElementsAre(Severed{"h1", "h2"}, Severed{"h2", "h1"}));
  EXPECT_THAT(ledger_.strike(2, one_way).requests.at(0).severed,
              ElementsAre(Severed{"h1", "h2"}, Severed{"h1", "h3"}, Severed{"h2", "h1"}));
  EXPECT_THAT(ledger_.undo(1, halves).requests.at(0).severed,
              ElementsAre(Severed{"h1", "h2"}, Severed{"h1", "h3"}));
  EXPECT_THAT(ledger_.mend({format::MendAction::What::partition, {}}).requests.at(0).severed,
              IsEmpty());
  EXPECT_THAT(ledger_.undo(2, one_way).passed_over, SizeIs(1));
}

TEST_F(LedgerTest, ClockStepsAddUp) {
  const auto forth = of(format::fault::ClockStep{5s}, {"h1"});
  const auto back = of(format::fault::ClockStep{-2s}, {"h1"});
  EXPECT_EQ(ledger_.strike(1, forth).requests.at(0).value, 5000);
  EXPECT_EQ(ledger_.strike(2, back).requests.at(0).value, 3000);
  EXPECT_EQ(ledger_.undo(1, forth).requests.at(0).value, -2000);
}

TEST_F(LedgerTest, ProcessesAreEndedStoppedAndRunAgain) {
  const auto stop = of(format::fault::Stop{}, {"web"});
  const auto kill = of(format::fault::Kill{}, {"web"});
  const auto pause = of(format::fault::Pause{}, {"web"});
  EXPECT_THAT(ledger_.strike(1, pause).requests.at(0).command, ElementsAre("STOP"));
  EXPECT_THAT(ledger_.undo(1, pause).requests.at(0).command, ElementsAre("CONT"));
  EXPECT_THAT(ledger_.strike(2, stop).requests.at(0).command, ElementsAre("TERM"));
  EXPECT_THAT(ledger_.strike(3, kill).passed_over, ElementsAre("web was ended already"));
  EXPECT_THAT(ops(ledger_.undo(3, kill)), IsEmpty());
  EXPECT_THAT(ops(ledger_.undo(2, stop)), ElementsAre(Op::respawn));
}

TEST_F(LedgerTest, DisksAndSteps) {
  const auto full = of(format::fault::DiskFull{}, {"h2"});
  EXPECT_THAT(ops(ledger_.strike(1, full)), ElementsAre(Op::fill_disk));
  EXPECT_THAT(ops(ledger_.mend({format::MendAction::What::disk, {"h2"}})),
              ElementsAre(Op::free_disk));
  EXPECT_THAT(ops(ledger_.undo(1, full)), IsEmpty());
  EXPECT_THAT(ledger_.mend({format::MendAction::What::cut, {"h2"}}).passed_over,
              ElementsAre("h2 is not cut"));
}

}  // namespace
}  // namespace heddle::faults
