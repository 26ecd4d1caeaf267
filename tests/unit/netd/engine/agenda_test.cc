#include "netd/engine/agenda.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::engine {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const Agenda::Time kNow{1h};

Container running(const std::string& id) {
  return {.id = id, .name = "web", .status = "running", .running = true, .pid = 7};
}

// One container that was looked at, and nothing to do.
class OfAgenda : public testing::Test {
 protected:
  OfAgenda() {
    agenda_.follow({"a"});
    EXPECT_THAT(agenda_.due(kNow), ElementsAre("a")) << "it is followed newly";
    agenda_.saw("a", running("a"));
    EXPECT_THAT(agenda_.due(kNow), IsEmpty());
  }
  void happens(const std::string& action, int signal = 0, const std::string& id = "a") {
    agenda_.happened({id, action, signal, ""}, kNow);
  }
  Agenda agenda_;
};

TEST_F(OfAgenda, WhatHappensIsLookedAtOnce) {
  for (const char* action : {"die", "start", "rename", "destroy", "pause", "update", "remove"}) {
    happens(action);
    happens(action);
    EXPECT_THAT(agenda_.due(kNow), ElementsAre("a")) << action;
    EXPECT_THAT(agenda_.due(kNow), IsEmpty()) << action;
  }
}

TEST_F(OfAgenda, NoiseAndOthersAreNot) {
  for (const char* action : {"exec_create", "exec_start", "exec_die", "health_status", "top"}) {
    happens(action);
  }
  happens("die", 0, "b");
  EXPECT_THAT(agenda_.due(kNow), IsEmpty());
  EXPECT_EQ(agenda_.next(), std::nullopt);
}

TEST_F(OfAgenda, AKillThatEndsItCountsUntilItDied) {
  happens("kill", 15);
  EXPECT_TRUE(agenda_.is_ending("a", kNow));
  agenda_.saw("a", running("a"));
  EXPECT_TRUE(agenda_.is_ending("a", kNow)) << "it takes its time";
  happens("die");
  EXPECT_FALSE(agenda_.is_ending("a", kNow));
  happens("kill", 9);
  EXPECT_TRUE(agenda_.is_ending("a", kNow));
  agenda_.saw("a", Container{.id = "a", .status = "exited"});
  EXPECT_FALSE(agenda_.is_ending("a", kNow));
}

TEST_F(OfAgenda, OneThatSurvivesAKillIsLookedAtAgain) {
  happens("kill", 15);
  EXPECT_THAT(agenda_.due(kNow), ElementsAre("a"));
  const auto late = kNow + running("a").stop_timeout + Agenda::kEndingSlack;
  EXPECT_EQ(agenda_.next(), late);
  EXPECT_THAT(agenda_.due(late - 1ms), IsEmpty());
  EXPECT_THAT(agenda_.due(late), ElementsAre("a"));
  EXPECT_FALSE(agenda_.is_ending("a", late));
}

TEST_F(OfAgenda, OnlySignalsThatEndIt) {
  happens("kill", 1);
  EXPECT_FALSE(agenda_.is_ending("a", kNow)) << "SIGHUP makes programs read their configuration";
  happens("kill", 28);
  EXPECT_FALSE(agenda_.is_ending("a", kNow));
  Container apache = running("a");
  apache.stop_signal = 28;
  agenda_.saw("a", apache);
  happens("kill", 28);
  EXPECT_TRUE(agenda_.is_ending("a", kNow));
}

TEST_F(OfAgenda, TheListTellsWhatEventsMissed) {
  agenda_.listed({{"a", "web", "running"}, {"b", "other", "exited"}});
  EXPECT_THAT(agenda_.due(kNow), IsEmpty());
  agenda_.listed({{"a", "renamed", "running"}});
  EXPECT_THAT(agenda_.due(kNow), ElementsAre("a"));
  agenda_.listed({{"a", "web", "exited"}});
  EXPECT_THAT(agenda_.due(kNow), ElementsAre("a"));
  agenda_.listed({});
  EXPECT_THAT(agenda_.due(kNow), ElementsAre("a"));
}

TEST_F(OfAgenda, WhatFailedIsTriedLater) {
  agenda_.failed("a", kNow);
  EXPECT_THAT(agenda_.due(kNow), IsEmpty());
  EXPECT_THAT(agenda_.due(kNow + Agenda::kRetry), ElementsAre("a"));
}

TEST_F(OfAgenda, WhoIsNotFollowedAnyMoreIsForgotten) {
  happens("die");
  agenda_.follow({});
  EXPECT_TRUE(agenda_.empty());
  EXPECT_THAT(agenda_.due(kNow), IsEmpty());
  agenda_.saw("a", std::nullopt);
  agenda_.follow({"a", "b"});
  EXPECT_THAT(agenda_.due(kNow), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace heddle::engine
