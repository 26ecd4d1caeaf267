#include "netd/cluster/probe_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace heddle::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ProbeTableTest : public testing::Test {
 protected:
  void set(const std::vector<Prober::Peer>& peers) { table_.set_peers(peers, now_); }
  // One interval: what is due is sent, and answered with `epoch` unless that is 0.
  std::vector<ProbeTable::Probe> round(std::uint64_t epoch) {
    const auto sent = table_.take_due(now_);
    for (const auto& probe : sent) {
      if (epoch != 0) table_.take({probe.address, probe.nonce, epoch});
    }
    now_ += std::chrono::milliseconds(200);
    return sent;
  }
  std::set<model::Id> unreachable() {
    if (auto changed = table_.take_change()) last_ = *changed;
    return last_;
  }

  const IpAddr address_ = IpAddr::v4(0x0a000001);
  const Prober::Peer peer_{"a", address_, 7};
  ProbeTable table_{{}};
  ProbeTable::TimePoint now_{std::chrono::hours(1)};
  std::set<model::Id> last_;
};

TEST_F(ProbeTableTest, WithoutPeersNothingIsDueOrTold) {
  EXPECT_THAT(table_.take_due(now_), IsEmpty());
  EXPECT_EQ(table_.next_due(), std::nullopt);
  EXPECT_EQ(table_.take_change(), std::nullopt);
}

TEST_F(ProbeTableTest, APeerIsUnreachableUntilItAnsweredTwice) {
  set({peer_});
  EXPECT_THAT(unreachable(), ElementsAre("a"));
  EXPECT_EQ(round(7).size(), 1u);
  EXPECT_EQ(table_.take_change(), std::nullopt);
  round(7);
  EXPECT_THAT(unreachable(), IsEmpty());
  round(7);
  EXPECT_EQ(table_.take_change(), std::nullopt);
}

TEST_F(ProbeTableTest, FiveUnansweredProbesMakeItUnreachable) {
  set({peer_});
  round(7);
  round(7);
  for (int i = 0; i < 5; ++i) {
    round(0);
    EXPECT_THAT(unreachable(), IsEmpty()) << i;
  }
  round(0);
  EXPECT_THAT(unreachable(), ElementsAre("a"));
  round(7);
  EXPECT_THAT(unreachable(), ElementsAre("a"));
  round(7);
  EXPECT_THAT(unreachable(), IsEmpty());
}

TEST_F(ProbeTableTest, ALossNowAndThenIsNothing) {
  set({peer_});
  round(7);
  round(7);
  for (int i = 0; i < 20; ++i) {
    round(0);
    round(7);
    EXPECT_THAT(unreachable(), IsEmpty());
  }
}

TEST_F(ProbeTableTest, AnotherEpochIsNoAnswer) {
  set({peer_});
  for (int i = 0; i < 10; ++i) round(8);
  EXPECT_THAT(unreachable(), ElementsAre("a"));
  set({{"a", address_, 8}});
  round(8);
  round(8);
  round(8);
  EXPECT_THAT(unreachable(), IsEmpty());
  set({{"a", address_, 9}});  // it was restarted: prove again
  EXPECT_THAT(unreachable(), ElementsAre("a"));
}

TEST_F(ProbeTableTest, AnswersFromElsewhereOrTwiceDoNotCount) {
  set({peer_});
  const auto probe = table_.take_due(now_).at(0);
  table_.take({IpAddr::v4(0x0a000002), probe.nonce, 7});
  table_.take({address_, probe.nonce + 1, 7});
  table_.take({address_, probe.nonce, 7});
  table_.take({address_, probe.nonce, 7});
  EXPECT_THAT(unreachable(), ElementsAre("a"));
}

// An answer that takes longer than an interval is one all the same.
TEST_F(ProbeTableTest, SlowAnswersCount) {
  set({peer_});
  std::vector<ProbeTable::Probe> sent;
  for (int i = 0; i < 8; ++i) {
    sent.push_back(table_.take_due(now_).at(0));
    now_ += std::chrono::milliseconds(200);
    if (i >= 3) table_.take({address_, sent[i - 3].nonce, 7});
  }
  EXPECT_THAT(unreachable(), IsEmpty());
}

TEST_F(ProbeTableTest, KnownPeersKeepTheirStateAndGonePeersAreForgotten) {
  set({peer_});
  round(7);
  round(7);
  set({peer_, {"b", IpAddr::v4(0x0a000002), 3}});
  EXPECT_THAT(unreachable(), ElementsAre("b"));
  set({peer_});
  EXPECT_THAT(unreachable(), IsEmpty());
  set({{"a", IpAddr::v4(0x0a000009), 7}});
  EXPECT_THAT(unreachable(), ElementsAre("a"));
}

TEST_F(ProbeTableTest, APeerThatWasReachableBeforeARestartBeginsSo) {
  Prober::Peer known = peer_;
  known.reachable = true;
  set({known});
  EXPECT_EQ(table_.take_change(), std::nullopt);
  for (int i = 0; i < 6; ++i) round(0);
  EXPECT_THAT(unreachable(), ElementsAre("a"));
}

TEST_F(ProbeTableTest, ProbesDoNotPileUpAfterAPause) {
  set({peer_});
  round(7);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(table_.take_due(now_).size(), 1u);
  EXPECT_THAT(table_.take_due(now_), IsEmpty());
  EXPECT_GT(*table_.next_due(), now_);
}

}  // namespace
}  // namespace heddle::cluster
