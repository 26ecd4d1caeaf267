// What the overlay programs tell who watches: each verdict, with its addresses; and nothing while
// nobody does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "tests/bpf/overlay/overlay_fixture.h"

namespace heddle::testing {
namespace {

using bpf::FlowEvent;
using bpf::FlowVerdict;
using std::chrono::milliseconds;

class Flows : public OverlayFixture {
 protected:
  void SetUp() override {
    OverlayFixture::SetUp();
    auto opened = programs_->open_flows();
    ASSERT_TRUE(opened.has_value()) << opened.error().text();
    ring_ = *std::move(opened);
    watch();
  }
  void watch(std::uint32_t one_of = 1, milliseconds time = milliseconds(60'000)) {
    const auto watched = ring_->watch(one_of, time);
    ASSERT_TRUE(watched.has_value()) << watched.error().text();
  }
  std::vector<FlowEvent> told() {
    auto events = ring_->take(milliseconds(0));
    EXPECT_TRUE(events.has_value()) << events.error().text();
    return events ? *std::move(events) : std::vector<FlowEvent>();
  }
  FlowEvent told_once() {
    const auto events = told();
    EXPECT_EQ(events.size(), 1u);
    return events.empty() ? FlowEvent{} : events.front();
  }
  static Udp own(IpAddr to) {
    return {.from_mac = kOwnMac, .to_mac = kStaleMac, .from = kOwn, .to = to, .payload = {1, 2}};
  }
  void send(IpAddr to) { run(objects_->from_container(), udp_frame(own(to))); }
  // From the peer's node to us.
  Bytes tunnelled(const Udp& inner) {
    return udp_frame({.from_mac = kPeerMac,
                      .to_mac = kUnderlayMac,
                      .from = kPeerNode,
                      .to = kNode,
                      .from_port = 5555,
                      .to_port = kVxlanPort,
                      .payload = vxlan(kVni, udp_frame(inner)),
                      .checksum = false});
  }
  static void expect_packet(const FlowEvent& event, FlowVerdict verdict, IpAddr from, IpAddr to,
                            IpAddr node = IpAddr()) {
    EXPECT_EQ(event.verdict, verdict);
    EXPECT_EQ(event.from, (SocketAddr{from, 1000}));
    EXPECT_EQ(event.to, (SocketAddr{to, 2000}));
    EXPECT_EQ(event.node, node);
    EXPECT_EQ(event.vni, Vni{kVni});
    EXPECT_EQ(event.protocol, 17);
    EXPECT_EQ(event.ethertype, 0x0800);
    EXPECT_GT(event.bytes, 0u);
    EXPECT_GT(event.at.count(), 0);
  }

  std::unique_ptr<bpf::FlowRing> ring_;
};

TEST_F(Flows, SayWhereAPacketOfOursGoes) {
  send(kNeighbour);
  expect_packet(told_once(), FlowVerdict::delivered, kOwn, kNeighbour);
  send(kRemote);
  expect_packet(told_once(), FlowVerdict::forwarded, kOwn, kRemote, kPeerNode);
  send(kWorld);
  expect_packet(told_once(), FlowVerdict::host, kOwn, kWorld);
  send(kGateway);
  expect_packet(told_once(), FlowVerdict::host, kOwn, kGateway);
  put_block();
  send(kFresh);
  expect_packet(told_once(), FlowVerdict::forwarded, kOwn, kFresh, kPeerNode);
}

TEST_F(Flows, SayWhyAPacketWasDropped) {
  send(kNobody);
  const FlowEvent event = told_once();
  expect_packet(event, FlowVerdict::dropped, kOwn, kNobody);
  EXPECT_EQ(event.reason, "no_endpoint");
  Udp spoofed = own(kRemote);
  spoofed.from = kNeighbour;
  run(objects_->from_container(), udp_frame(spoofed));
  const FlowEvent second = told_once();
  expect_packet(second, FlowVerdict::dropped, kNeighbour, kRemote);
  EXPECT_EQ(second.reason, "spoofed_source");
}

TEST_F(Flows, OfArpTellWhoAskedForWhom) {
  run(objects_->from_container(), arp_frame({.from_mac = kOwnMac,
                                             .to_mac = kBroadcast,
                                             .sender_mac = kOwnMac,
                                             .sender = kOwn,
                                             .target_mac = {},
                                             .target = kNobody}));
  const FlowEvent event = told_once();
  EXPECT_EQ(event.verdict, FlowVerdict::dropped);
  EXPECT_EQ(event.reason, "no_endpoint");
  EXPECT_EQ(event.ethertype, 0x0806);
  EXPECT_EQ(event.from.address, kOwn);
  EXPECT_EQ(event.to.address, kNobody);
}

TEST_F(Flows, SayWhatArrivesFromAnotherNode) {
  const Udp inner{.from_mac = kRemoteMac,
                  .to_mac = kOwnMac,
                  .from = kRemote,
                  .to = kNeighbour,
                  .payload = {1, 2, 3}};
  run(objects_->from_underlay(), tunnelled(inner));
  expect_packet(told_once(), FlowVerdict::delivered, kRemote, kNeighbour, kPeerNode);
  Udp stranger = inner;
  stranger.from = kNobody;
  run(objects_->from_underlay(), tunnelled(stranger));
  const FlowEvent event = told_once();
  expect_packet(event, FlowVerdict::dropped, kNobody, kNeighbour, kPeerNode);
  EXPECT_EQ(event.reason, "unknown_source");
}

TEST_F(Flows, ShortAndFragmentedPacketsHaveNoPorts) {
  Udp later = own(kNobody);
  later.fragment = 100;
  run(objects_->from_container(), udp_frame(later));
  EXPECT_EQ(told_once().from, (SocketAddr{kOwn, 0}));
  Bytes frame = udp_frame(own(kNobody));
  frame.resize(14 + 20);
  run(objects_->from_container(), frame);
  for (const FlowEvent& event : told()) EXPECT_EQ(event.to.port, 0);
}

TEST_F(Flows, NothingIsToldWhileNobodyWatches) {
  watch(1, milliseconds(0));
  send(kRemote);
  send(kNobody);
  EXPECT_THAT(told(), ::testing::IsEmpty());
  EXPECT_EQ(drops_of(*programs_, "no_endpoint"), 1u) << "counted all the same";
}

TEST_F(Flows, WhatGoesOnIsSampledAndRefusalsAreNot) {
  watch(1'000'000'000);
  for (int i = 0; i < 50; ++i) send(kRemote);
  for (int i = 0; i < 50; ++i) send(kNobody);
  const auto events = told();
  EXPECT_EQ(std::ranges::count(events, FlowVerdict::dropped, &FlowEvent::verdict), 50);
  EXPECT_LE(std::ranges::count(events, FlowVerdict::forwarded, &FlowEvent::verdict), 2);
}

TEST_F(Flows, AFullRingCountsWhatItLost) {
  const std::uint32_t before = ring_->lost().value();
  constexpr int kSent = 6000;
  for (int i = 0; i < kSent; ++i) send(kNobody);
  const auto kept = told().size();
  EXPECT_LT(kept, std::size_t{kSent});
  EXPECT_EQ(ring_->lost().value() - before, kSent - kept);
  send(kNobody);
  EXPECT_EQ(told().size(), 1u) << "read, it has room again";
}

}  // namespace
}  // namespace heddle::testing
