#include "netd/holder/late_keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace heddle::holder {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Notes what it hears, and is as slow as the test wants.
class SlowKeeper final : public Keeper {
 public:
  Result<> put(const std::string& name, int fd) override {
    return hear("put " + name + (::fcntl(fd, F_GETFD) >= 0 ? "" : " without a descriptor"));
  }
  Result<> drop(const std::string& name) override { return hear("drop " + name); }
  Result<std::map<std::string, UniqueFd>> take_all() override {
    return std::map<std::string, UniqueFd>();
  }
  Result<> shut() override { return {}; }

  std::counting_semaphore<> may_go{0};
  std::vector<std::string> heard;  // read after finish() or the LateKeeper's end
  bool refuses = false;

 private:
  Result<> hear(std::string what) {
    may_go.acquire();
    heard.push_back(std::move(what));
    if (refuses) return fail(Errc::unavailable, "the holder has gone");
    return {};
  }
};

UniqueFd descriptor() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(LateKeeper, TheCallerGoesOnAndTheOrderStays) {
  SlowKeeper keeper;
  LateKeeper late(keeper);
  late.put("a", descriptor());
  late.put("b", descriptor());
  late.drop("a");
  keeper.may_go.release(3);
  late.finish();
  EXPECT_THAT(keeper.heard, ElementsAre("put a", "put b", "drop a"));
}

TEST(LateKeeper, FinishingWithNothingToDoReturns) {
  SlowKeeper keeper;
  LateKeeper late(keeper);
  late.finish();
  EXPECT_THAT(keeper.heard, IsEmpty());
}

TEST(LateKeeper, ItsEndLosesNothing) {
  SlowKeeper keeper;
  keeper.may_go.release(100);
  {
    LateKeeper late(keeper);
    for (int i = 0; i < 100; ++i) late.put(std::to_string(i), descriptor());
  }
  EXPECT_EQ(keeper.heard.size(), 100u);
}

TEST(LateKeeper, ARefusalDoesNotKeepTheOthersBack) {
  SlowKeeper keeper;
  keeper.refuses = true;
  keeper.may_go.release(2);
  LateKeeper late(keeper);
  late.put("a", descriptor());
  late.put("b", descriptor());
  late.finish();
  EXPECT_THAT(keeper.heard, ElementsAre("put a", "put b"));
}

TEST(LateKeeper, WhoAsksForTooMuchWaits) {
  SlowKeeper keeper;
  LateKeeper late(keeper);
  for (std::size_t i = 0; i < LateKeeper::kMostWaiting; ++i) late.drop("x");
  std::promise<void> taken;
  std::future<void> done = taken.get_future();
  std::jthread caller([&] {
    late.drop("one too many");
    taken.set_value();
  });
  EXPECT_EQ(done.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  keeper.may_go.release(LateKeeper::kMostWaiting + 1);
  done.wait();
  late.finish();
  EXPECT_EQ(keeper.heard.back(), "drop one too many");
}

}  // namespace
}  // namespace heddle::holder
