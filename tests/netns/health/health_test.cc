#include "netd/control/health.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "dataplane/netns/netns.h"

namespace heddle::control {
namespace {

// A namespace of its own with a listener that can come and go.
class HealthTest : public testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/heddle-health-XXXXXX";
    dir_ = ::mkdtemp(path);
    sandbox_ = dir_ + "/sandbox";
    const auto made = netns::create(sandbox_);
    ASSERT_TRUE(made) << made.error().text();
    netns_ = *netns::open(sandbox_);
  }
  void TearDown() override {
    listener_.reset();
    netns_.reset();
    EXPECT_TRUE(netns::remove(sandbox_));
    std::filesystem::remove_all(dir_);
  }

  Health::OnChange record() {
    return [this](const model::Id&, bool healthy) {
      const std::lock_guard lock(mutex_);
      seen_.push_back(healthy);
      changed_.notify_all();
    };
  }
  bool wait_for(const std::vector<bool>& expected) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return seen_ == expected; });
  }

  const SocketAddr address_{IpAddr::v4(0x7f000001), 8080};
  std::string dir_;
  std::string sandbox_;
  UniqueFd netns_;
  UniqueFd listener_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> seen_;
};

TEST_F(HealthTest, BecomesHealthyWhenThePortAnswersAndUnhealthyWhenItStops) {
  Health health(record());
  health.set_checks({{"e1", sandbox_, {address_}}});
  listener_ = *netns::listen_tcp(netns_.get(), address_);
  ASSERT_TRUE(wait_for({true}));
  listener_.reset();
  ASSERT_TRUE(wait_for({true, false}));
}

TEST_F(HealthTest, AnIpv6PortAnswersToo) {
  const SocketAddr address6{IpAddr::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 8080};
  Health health(record());
  health.set_checks({{"e1", sandbox_, {address6}}});
  listener_ = *netns::listen_tcp(netns_.get(), address6);
  ASSERT_TRUE(wait_for({true}));
  listener_.reset();
  ASSERT_TRUE(wait_for({true, false}));
}

TEST_F(HealthTest, EqualChecksKeepTheirStateAndRestartForgetsIt) {
  listener_ = *netns::listen_tcp(netns_.get(), address_);
  Health health(record());
  health.set_checks({{"e1", sandbox_, {address_}}});
  ASSERT_TRUE(wait_for({true}));
  health.set_checks({{"e1", sandbox_, {address_}}});
  health.restart_check("e1");
  ASSERT_TRUE(wait_for({true, true})) << "a restarted check reports again";
}

TEST_F(HealthTest, AllPortsMustAnswer) {
  listener_ = *netns::listen_tcp(netns_.get(), address_);
  const SocketAddr second{address_.address, 8081};
  Health health(record());
  health.set_checks({{"e1", sandbox_, {address_, second}}});
  {
    std::unique_lock lock(mutex_);
    EXPECT_FALSE(
        changed_.wait_for(lock, std::chrono::milliseconds(400), [&] { return !seen_.empty(); }));
  }
  const UniqueFd other = *netns::listen_tcp(netns_.get(), second);
  ASSERT_TRUE(wait_for({true}));
}

}  // namespace
}  // namespace heddle::control
