#include "netd/dns/cache.h"

#include <gtest/gtest.h>

namespace heddle::dns {
namespace {

using namespace std::chrono_literals;

class CacheTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const UpstreamReply> reply(std::uint32_t lifetime,
                                                    std::size_t size = 100) {
    UpstreamReply it;
    it.bytes.resize(size);
    it.lifetime = lifetime;
    return std::make_shared<const UpstreamReply>(std::move(it));
  }
  Deadline now{1h};
  Cache cache{64 << 10};
};

TEST_F(CacheTest, GivesAnAnswerUntilItsLifetimeIsOverAndNeverLonger) {
  cache.insert("a", reply(10), now);
  EXPECT_EQ(cache.find("a", now).age, 0u);
  EXPECT_EQ(cache.find("a", now + 1ms).age, 1u) << "rounded up";
  EXPECT_EQ(cache.find("a", now + 9s).age, 9u);
  EXPECT_NE(cache.find("a", now + 9999ms).reply, nullptr);
  EXPECT_EQ(cache.find("a", now + 10s).reply, nullptr);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST_F(CacheTest, KeepsNothingWithoutALifetime) {
  cache.insert("a", reply(0), now);
  EXPECT_EQ(cache.size(), 0u);
  cache.insert("a", reply(10), now);
  cache.insert("a", reply(0), now);
  EXPECT_EQ(cache.find("a", now).reply, nullptr) << "the newer answer must not be kept";
}

TEST_F(CacheTest, AnotherAnswerReplacesTheFirst) {
  cache.insert("a", reply(10), now);
  const auto second = reply(20);
  cache.insert("a", second, now + 5s);
  EXPECT_EQ(cache.find("a", now + 12s).reply, second);
  EXPECT_EQ(cache.size(), 1u);
}

TEST_F(CacheTest, HoldsToItsBytesAndDropsWhatWasAskedForLongestAgo) {
  for (int i = 0; i < 10000; ++i) {
    cache.insert("name" + std::to_string(i), reply(60), now);
    EXPECT_NE(cache.find("name0", now).reply, nullptr) << "it is asked for all the time";
    ASSERT_LE(cache.bytes(), 64u << 10);
  }
  EXPECT_GT(cache.size(), 100u);
  EXPECT_EQ(cache.find("name1", now).reply, nullptr);
  EXPECT_NE(cache.find("name9999", now).reply, nullptr);
}

TEST_F(CacheTest, OneAnswerDoesNotDriveOutAllOthers) {
  cache.insert("a", reply(60), now);
  cache.insert("huge", reply(60, 60000), now);
  EXPECT_EQ(cache.find("huge", now).reply, nullptr);
  EXPECT_NE(cache.find("a", now).reply, nullptr);
}

TEST_F(CacheTest, CanBeEmptied) {
  cache.insert("a", reply(60), now);
  cache.clear();
  EXPECT_EQ(cache.find("a", now).reply, nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace heddle::dns
