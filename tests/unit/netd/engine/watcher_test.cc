// Goal: what becomes of followed containers is seen, whatever the engine does meanwhile. Method: a
// scripted engine; containers that do not run, since those that do need namespaces (tests/netns).
#include "netd/engine/watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>

#include "tests/support/engine/fake_engine.h"

namespace heddle::engine {
namespace {

using namespace std::chrono_literals;
using test::FakeEngine;
using testing::HasSubstr;

constexpr auto kPatience = 60s;  // a bound that tests of a loaded machine do not reach

class OfWatcher : public testing::Test {
 protected:
  OfWatcher() { engine_.put({.id = kId, .name = "web", .status = "exited"}); }

  void start() {
    const Watcher::Pace pace{
        .budget = budget_, .audit = audit_, .first_retry = 5ms, .last_retry = 20ms};
    watcher_ = *Watcher::start({model::WorkloadKind::docker, engine_.socket()}, pace,
                               [this](Sighting seen) {
                                 const std::lock_guard lock(mutex_);
                                 last_ = std::move(seen);
                                 ++sightings_;
                                 changed_.notify_all();
                               });
    watcher_->follow({kId});
  }
  // Until one is seen that is as it should be.
  bool sees(const std::function<bool(const Sighting&)>& as_wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return last_ && as_wanted(*last_); });
  }
  bool sees_status(const std::string& status) {
    return sees(
        [&](const Sighting& seen) { return seen.container && seen.container->status == status; });
  }
  bool sees_removal() {
    return sees([](const Sighting& seen) { return !seen.container; });
  }
  static bool eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  const std::string kId = FakeEngine::id('a');
  std::chrono::milliseconds budget_ = 20s;
  std::chrono::milliseconds audit_ = 1h;
  FakeEngine engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Sighting> last_;
  int sightings_ = 0;
  std::unique_ptr<Watcher> watcher_;
};

TEST_F(OfWatcher, SubscribesBeforeItLooks) {
  start();
  ASSERT_TRUE(sees_status("exited"));
  const auto requests = engine_.requests();
  ASSERT_GE(requests.size(), 3u);
  EXPECT_EQ(requests[0], "/_ping");
  EXPECT_THAT(requests[1], HasSubstr("/events?filters="));
  EXPECT_THAT(requests[1], HasSubstr("&since="));
  EXPECT_THAT(requests[2], HasSubstr("/containers/" + kId + "/json"));
}

TEST_F(OfWatcher, AsksNothingWhileNothingIsFollowed) {
  start();
  ASSERT_TRUE(sees_status("exited"));
  watcher_->follow({});
  engine_.remove(kId);
  engine_.emit("destroy", kId);
  watcher_->follow({FakeEngine::id('b')});
  ASSERT_TRUE(sees([&](const Sighting& seen) { return seen.id == FakeEngine::id('b'); }));
  watcher_->follow({});
  EXPECT_EQ(engine_.count("/containers/" + kId), 1u);
  EXPECT_FALSE(watcher_->trouble());
}

TEST_F(OfWatcher, EventsAreHintsAndTheInspectionCounts) {
  start();
  ASSERT_TRUE(sees_status("exited"));
  engine_.put({.id = kId, .name = "renamed", .status = "dead"});
  engine_.emit("start", kId);
  ASSERT_TRUE(sees_status("dead"));
  EXPECT_EQ(last_->container->name, "renamed");
  engine_.remove(kId);
  engine_.emit("destroy", kId);
  ASSERT_TRUE(sees_removal());
}

TEST_F(OfWatcher, ABreakIsFollowedByALookAtEverythingFromWhereItStopped) {
  start();
  ASSERT_TRUE(sees_status("exited"));
  engine_.emit("update", kId);
  ASSERT_TRUE(eventually([&] { return engine_.count("/containers/" + kId) == 2; }));
  engine_.stop();
  ASSERT_TRUE(eventually([&] { return watcher_->trouble().has_value(); }));
  engine_.put({.id = kId, .name = "web", .status = "dead"});
  engine_.start();
  ASSERT_TRUE(sees_status("dead"));
  ASSERT_TRUE(eventually([&] { return !watcher_->trouble(); }));
  std::string last_subscription;
  for (const auto& target : engine_.requests()) {
    if (target.find("/events") != std::string::npos) last_subscription = target;
  }
  EXPECT_THAT(last_subscription, HasSubstr("&since=1700000000.000000001"));
}

TEST_F(OfWatcher, TheListTellsWhatNoEventTold) {
  audit_ = 20ms;
  start();
  ASSERT_TRUE(sees_status("exited"));
  engine_.put({.id = kId, .name = "web", .status = "dead"});
  ASSERT_TRUE(sees_status("dead"));
  engine_.remove(kId);
  ASSERT_TRUE(sees_removal());
}

TEST_F(OfWatcher, AnEngineThatHangsIsNoticedAndLeft) {
  audit_ = 20ms;
  budget_ = 200ms;
  start();
  ASSERT_TRUE(sees_status("exited"));
  engine_.answer("/containers/", std::nullopt);
  ASSERT_TRUE(eventually([&] { return watcher_->trouble().has_value(); }));
  EXPECT_THAT(*watcher_->trouble(), HasSubstr("does not answer in time"));
  engine_.put({.id = kId, .name = "web", .status = "dead"});
  engine_.answer_as_before("/containers/");
  ASSERT_TRUE(sees_status("dead"));
}

TEST_F(OfWatcher, NonsenseAmongEventsBreaksTheConnectionAndNothingElse) {
  start();
  for (const char* nonsense : {"\x16\x03\x01\n", "{}}\n", "[[[[\n", "null\n"}) {
    ASSERT_TRUE(eventually([&] { return engine_.listeners() > 0; }));
    const std::size_t before = engine_.count("/events");
    engine_.emit_raw(nonsense);
    ASSERT_TRUE(eventually([&] { return engine_.count("/events") > before; })) << nonsense;
  }
  engine_.put({.id = kId, .name = "web", .status = "dead"});
  engine_.emit("die", kId);
  ASSERT_TRUE(sees_status("dead"));
}

TEST_F(OfWatcher, OneBrokenContainerDoesNotKeepOthersFromBeingSeen) {
  engine_.put({.id = FakeEngine::id('b'), .name = "db", .status = "exited"});
  engine_.answer(kId, FakeEngine::http(500, R"({"message":"broken"})"));
  start();
  watcher_->follow({kId, FakeEngine::id('b')});
  ASSERT_TRUE(sees([&](const Sighting& seen) { return seen.id == FakeEngine::id('b'); }));
  EXPECT_FALSE(watcher_->trouble());
  engine_.answer_as_before(kId);
  ASSERT_TRUE(sees([&](const Sighting& seen) { return seen.id == kId; })) << "tried again";
}

TEST_F(OfWatcher, EndsAtOnceWhateverItWaitsFor) {
  engine_.answer("/_ping", std::nullopt);
  budget_ = 1h;
  start();
  ASSERT_TRUE(eventually([&] { return engine_.count("/_ping") == 1; }));
  watcher_.reset();
}

}  // namespace
}  // namespace heddle::engine
