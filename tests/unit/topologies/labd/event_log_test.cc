#include "topologies/labd/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace heddle::labd {
namespace {

using ::testing::IsEmpty;
using namespace std::chrono_literals;

const auto kHere = [] { return false; };
Deadline at_once() {
  return std::chrono::steady_clock::now();
}

TEST(EventLog, EventsAreNumberedFromOneAndComeInOrder) {
  EventLog log;
  log.add("kill", "h1", "");
  log.add("start", "h1", "again");
  const auto events = log.after(0, at_once(), kHere);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].number, 1U);
  EXPECT_EQ(events[1].text, "again");
  EXPECT_GT(events[0].unix_ms, 1'700'000'000'000);
  EXPECT_EQ(log.after(1, at_once(), kHere).at(0).kind, "start");
  EXPECT_THAT(log.after(2, at_once(), kHere), IsEmpty());
}

TEST(EventLog, TheOldestAreForgottenAndNumbersTell) {
  EventLog log;
  for (std::size_t i = 0; i < EventLog::kMaxEvents + 10; ++i) log.add("k", "", "");
  const auto events = log.after(0, at_once(), kHere);
  EXPECT_EQ(events.size(), EventLog::kBatch);
  EXPECT_EQ(events.front().number, 11U);
  EXPECT_EQ(log.after(events.back().number, at_once(), kHere).front().number,
            11U + EventLog::kBatch);
}

TEST(EventLog, ANumberOfAnotherDeployCountsAsNone) {
  EventLog log;
  log.add("deployed", "x", "");
  EXPECT_EQ(log.after(900, at_once(), kHere).size(), 1U);
}

TEST(EventLog, TextIsCutBetweenCharacters) {
  EventLog log;
  std::string text(EventLog::kMaxText - 1, 'a');
  log.add("k", "", text + "\u00fc\u00fc");
  EXPECT_EQ(log.after(0, at_once(), kHere).at(0).text, text);
}

TEST(EventLog, AReaderWaitsForTheNext) {
  EventLog log;
  log.add("one", "", "");
  std::promise<void> waiting;
  std::once_flag once;
  auto read = std::async(std::launch::async, [&] {
    return log.after(1, after(60s), [&] {  // asked while it waits
      std::call_once(once, [&] { waiting.set_value(); });
      return false;
    });
  });
  waiting.get_future().wait();
  log.add("two", "", "");
  EXPECT_EQ(read.get().at(0).kind, "two");
}

TEST(EventLog, AReaderThatHasGoneIsNotWaitedFor) {
  EventLog log;
  EXPECT_THAT(log.after(0, after(600s), [] { return true; }), IsEmpty());
}

}  // namespace
}  // namespace heddle::labd
