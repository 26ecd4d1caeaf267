// from_underlay and from_vxlan of ebpf/overlay.bpf.c: what arrives from other nodes. Test runs
// carry no tunnel key: what from_vxlan does with one is in tests/netns/overlay_path.
#include <gtest/gtest.h>

#include <cstring>

#include "ebpf/abi/probe.h"
#include "tests/bpf/overlay/overlay_fixture.h"

namespace heddle::testing {
namespace {

class FromUnderlay : public OverlayFixture {
 protected:
  Ran run_underlay(const Bytes& frame) { return run(objects_->from_underlay(), frame); }

  static Udp inner() {
    return {.from_mac = kRemoteMac,
            .to_mac = kStaleMac,
            .from = kRemote,
            .to = kOwn,
            .payload = {'h', 'e', 'l', 'l', 'o'}};
  }
  static Udp outer(Bytes payload) {
    return {.from_mac = kPeerMac,
            .to_mac = kUnderlayMac,
            .from = kPeerNode,
            .to = kNode,
            .from_port = 50000,
            .to_port = kVxlanPort,
            .payload = std::move(payload),
            .checksum = false};
  }
  static Bytes tunnelled(const Udp& packet, std::uint32_t vni = kVni) {
    return udp_frame(outer(vxlan(vni, udp_frame(packet))));
  }
  void expect_left_to_stack(const Bytes& frame, const char* why) {
    const Ran ran = run_underlay(frame);
    EXPECT_EQ(ran.verdict, kPass) << why;
    EXPECT_EQ(ran.frame, frame) << why;
  }
  void expect_drop(const Bytes& frame, const std::string& reason) {
    const std::uint64_t before = drops_of(*programs_, reason);
    EXPECT_EQ(run_underlay(frame).verdict, kDrop) << reason;
    EXPECT_EQ(drops_of(*programs_, reason), before + 1) << reason;
  }
};

TEST_F(FromUnderlay, OpensATunnelPacketForAnEndpointHere) {
  const Ran ran = run_underlay(tunnelled(inner()));
  EXPECT_EQ(ran.verdict, kRedirect);
  Udp expected = inner();
  expected.to_mac = kOwnMac;
  EXPECT_EQ(ran.frame, udp_frame(expected));
}

TEST_F(FromUnderlay, LeavesOtherTrafficAlone) {
  const Bytes good = tunnelled(inner());
  Udp packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.to_port = 4790;
  expect_left_to_stack(udp_frame(packet), "another port");
  packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.to = *IpAddr::parse("192.168.50.77");
  expect_left_to_stack(udp_frame(packet), "another host's address");
  packet = outer({1, 2, 3});
  packet.to_port = 53;
  expect_left_to_stack(udp_frame(packet), "short UDP");
  Bytes frame = good;
  frame[23] = 6;
  expect_left_to_stack(frame, "TCP");
  frame = good;
  frame[12] = 0x88;
  expect_left_to_stack(frame, "another ethertype");
}

TEST_F(FromUnderlay, LeavesToTheVxlanDeviceWhatCannotBeCut) {
  Udp packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.fragment = 0x2000;
  expect_left_to_stack(udp_frame(packet), "more fragments");
  packet.fragment = 7;
  expect_left_to_stack(udp_frame(packet), "fragment offset");
  packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.checksum = true;
  expect_left_to_stack(udp_frame(packet), "outer checksum");
  packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.payload[0] = 0x0c;
  expect_left_to_stack(udp_frame(packet), "other VXLAN flags");
  packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.payload.resize(8 + 14 + 19);
  expect_left_to_stack(udp_frame(packet), "shorter than its headers");
  packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.payload[20] = 0x86;
  expect_left_to_stack(udp_frame(packet), "inner packet is not IPv4");
  packet = outer(vxlan(kVni, udp_frame(inner())));
  packet.payload[22] = 0x43;
  expect_left_to_stack(udp_frame(packet), "inner header is malformed");
}

TEST_F(FromUnderlay, LeavesCongestionMarksToTheVxlanDevice) {
  const auto with_marks = [](std::uint8_t outside, std::uint8_t inside) {
    Udp packet = inner();
    packet.tos = inside;
    Udp around = outer(vxlan(kVni, udp_frame(packet)));
    around.tos = outside;
    return udp_frame(around);
  };
  for (const std::uint8_t inside : {0, 1, 2}) {
    expect_left_to_stack(with_marks(3, inside), "congestion was seen on the way");
  }
  expect_left_to_stack(with_marks(1, 2), "ECT(1)");
  for (const std::uint8_t inside : {0, 1, 2, 3}) {
    EXPECT_EQ(run_underlay(with_marks(inside, inside)).verdict, kRedirect);
    EXPECT_EQ(run_underlay(with_marks(0, inside)).verdict, kRedirect);
    EXPECT_EQ(run_underlay(with_marks(2, inside)).verdict, kRedirect);
  }
}

TEST_F(FromUnderlay, LeavesUnknownAndRemoteDestinationsToTheVxlanDevice) {
  Udp packet = inner();
  packet.to = kNobody;
  expect_left_to_stack(tunnelled(packet), "nobody's");
  packet.to = kRemote;
  expect_left_to_stack(tunnelled(packet), "lives elsewhere");
  expect_left_to_stack(tunnelled(inner(), kVni + 1), "another network");
}

TEST_F(FromUnderlay, RefusesSourcesThatLiveElsewhere) {
  Udp packet = inner();
  packet.from = kNeighbour;
  expect_drop(tunnelled(packet), "spoofed_source");
  packet.from = kNobody;
  expect_drop(tunnelled(packet), "unknown_source");
  Udp around = outer(vxlan(kVni, udp_frame(inner())));
  around.from = *IpAddr::parse("192.168.50.3");
  expect_drop(udp_frame(around), "spoofed_source");
}

TEST_F(FromUnderlay, TheNodeThatAssignsAnAddressVouchesForItUntilItsEntryIsHere) {
  Udp packet = inner();
  packet.from = kFresh;
  expect_drop(tunnelled(packet), "unknown_source");
  put_block();
  const Ran ran = run_underlay(tunnelled(packet));
  EXPECT_EQ(ran.verdict, kRedirect);
  Udp expected = packet;
  expected.to_mac = kOwnMac;
  EXPECT_EQ(ran.frame, udp_frame(expected));

  packet.from = *IpAddr::parse("10.40.2.64");
  expect_drop(tunnelled(packet), "unknown_source");
  packet.from = *IpAddr::parse("10.40.1.255");
  expect_drop(tunnelled(packet), "unknown_source");
  const Vni other{kVni + 1};
  ASSERT_TRUE(programs_->put_block({other, *Prefix::parse("10.40.3.0/26"), kPeerNode, kBlockMac}));
  packet.from = *IpAddr::parse("10.40.3.1");
  expect_drop(tunnelled(packet), "unknown_source");
}

TEST_F(FromUnderlay, RefusesAFreshSourceFromAnotherNodeThanItsBlocks) {
  put_block(*IpAddr::parse("192.168.50.3"));
  Udp packet = inner();
  packet.from = kFresh;
  expect_drop(tunnelled(packet), "spoofed_source");
  ASSERT_TRUE(programs_->remove_block(Vni{kVni}, *Prefix::parse("10.40.2.0/26")).has_value());
  expect_drop(tunnelled(packet), "unknown_source");
}

TEST_F(FromUnderlay, AnEntryDecidesWhateverBlockItsAddressIsIn) {
  put_block();
  const IpAddr elsewhere = *IpAddr::parse("192.168.50.3");
  ASSERT_TRUE(programs_->put_address({Vni{kVni}, kFresh, kRemoteMac, IfIndex{}, elsewhere}));
  Udp packet = inner();
  packet.from = kFresh;
  expect_drop(tunnelled(packet), "spoofed_source");
  Udp around = outer(vxlan(kVni, udp_frame(packet)));
  around.from = elsewhere;
  EXPECT_EQ(run_underlay(udp_frame(around)).verdict, kRedirect);
  // One that lives here comes from no other node.
  ASSERT_TRUE(programs_->put_address({Vni{kVni}, kFresh, kRemoteMac, IfIndex{1}, std::nullopt}));
  expect_drop(tunnelled(packet), "spoofed_source");
}

TEST_F(FromUnderlay, TheLongestBlockDecides) {
  put_block(*IpAddr::parse("192.168.50.3"));
  ASSERT_TRUE(
      programs_->put_block({Vni{kVni}, *Prefix::parse("10.40.2.9/32"), kPeerNode, kBlockMac}));
  Udp packet = inner();
  packet.from = kFresh;
  EXPECT_EQ(run_underlay(tunnelled(packet)).verdict, kRedirect);
  packet.from = *IpAddr::parse("10.40.2.10");
  expect_drop(tunnelled(packet), "spoofed_source");
}

TEST_F(FromUnderlay, DoesNothingWithoutAnUnderlay) {
  ASSERT_TRUE(programs_->detach_underlay().has_value());
  expect_left_to_stack(tunnelled(inner()), "no underlay");
}

heddle_probe_packet question() {
  heddle_probe_packet packet{};
  packet.vxlan.flags = HEDDLE_VXLAN_FLAG_VNI;
  packet.probe.magic = __builtin_bswap32(HEDDLE_PROBE_MAGIC);
  packet.probe.version = HEDDLE_PROBE_VERSION;
  packet.probe.kind = HEDDLE_PROBE_REQUEST;
  packet.probe.nonce = 0x0123456789abcdef;
  return packet;
}
Bytes bytes_of(const heddle_probe_packet& packet) {
  Bytes bytes(sizeof(packet));
  std::memcpy(bytes.data(), &packet, sizeof(packet));
  return bytes;
}

TEST_F(FromUnderlay, AnswersAProbeInPlace) {
  for (const bool checksum : {true, false}) {
    Udp packet = outer(bytes_of(question()));
    packet.checksum = checksum;
    packet.ttl = 3;
    const Ran ran = run_underlay(udp_frame(packet));
    ASSERT_EQ(ran.verdict, kRedirect);
    Udp expected = outer({});
    std::swap(expected.from_mac, expected.to_mac);
    std::swap(expected.from, expected.to);
    std::swap(expected.from_port, expected.to_port);
    heddle_probe_packet reply = question();
    reply.probe.kind = HEDDLE_PROBE_REPLY;
    reply.probe.epoch = __builtin_bswap64(kEpoch);
    expected.payload = bytes_of(reply);
    expected.checksum = checksum;
    EXPECT_EQ(ran.frame, udp_frame(expected)) << "checksums included";
    EXPECT_TRUE(ipv4_checksum_right(ran.frame));
    EXPECT_TRUE(udp_checksum_right(ran.frame));
  }
}

TEST_F(FromUnderlay, AnswersOnlyRequestsOfItsVersion) {
  heddle_probe_packet packet = question();
  packet.probe.kind = HEDDLE_PROBE_REPLY;
  expect_left_to_stack(udp_frame(outer(bytes_of(packet))), "a reply");
  packet = question();
  packet.probe.version = 2;
  expect_left_to_stack(udp_frame(outer(bytes_of(packet))), "another version");
  packet = question();
  packet.probe.magic ^= 1;
  expect_left_to_stack(udp_frame(outer(bytes_of(packet))), "not a probe");
  packet = question();
  packet.vxlan.vni[2] = 1;
  expect_left_to_stack(udp_frame(outer(bytes_of(packet))), "a VNI");
  Bytes cut = bytes_of(question());
  cut.pop_back();
  expect_left_to_stack(udp_frame(outer(cut)), "one byte short");
}

TEST_F(FromUnderlay, KeepsSilentWithoutAnEpoch) {
  underlay_.epoch = 0;
  ASSERT_TRUE(programs_->attach_underlay(underlay_).has_value());
  expect_drop(udp_frame(outer(bytes_of(question()))), "probe_not_ready");
}

TEST_F(FromUnderlay, VxlanDeviceDropsWhatHasNoTunnelKey) {
  const std::uint64_t before = drops_of(*programs_, "no_tunnel_key");
  EXPECT_EQ(run(objects_->from_vxlan(), udp_frame(inner())).verdict, kDrop);
  EXPECT_EQ(drops_of(*programs_, "no_tunnel_key"), before + 1);
}

}  // namespace
}  // namespace heddle::testing
