// from_container of ebpf/overlay.bpf.c: what an endpoint sends. Frame in; verdict, frame and
// counter out.
#include <gtest/gtest.h>

#include "tests/bpf/overlay/overlay_fixture.h"

namespace heddle::testing {
namespace {

class FromContainer : public OverlayFixture {
 protected:
  // Runs and checks that exactly this reason counted one packet of this size.
  void expect_drop(const Bytes& frame, const std::string& reason) {
    const std::uint64_t before = drops_of(*programs_, reason);
    const Ran ran = run(objects_->from_container(), frame);
    EXPECT_EQ(ran.verdict, kDrop) << reason;
    EXPECT_EQ(drops_of(*programs_, reason), before + 1) << reason;
  }
  Ran run_container(const Bytes& frame) { return run(objects_->from_container(), frame); }

  Udp own(IpAddr to, Mac to_mac) {
    return {.from_mac = kOwnMac, .to_mac = to_mac, .from = kOwn, .to = to, .payload = {1, 2, 3}};
  }
  Arp question(IpAddr target) {
    return {.from_mac = kOwnMac,
            .to_mac = kBroadcast,
            .sender_mac = kOwnMac,
            .sender = kOwn,
            .target_mac = {},
            .target = target};
  }
};

void expect_answer(const Ran& ran, IpAddr address, Mac mac) {
  ASSERT_EQ(ran.verdict, kRedirect);
  ASSERT_EQ(ran.frame.size(), 42u);
  EXPECT_EQ(mac_at(ran.frame, 0), kOwnMac);
  EXPECT_EQ(mac_at(ran.frame, 6), mac);
  EXPECT_EQ(u16_at(ran.frame, 20), 2) << "a reply";
  EXPECT_EQ(mac_at(ran.frame, 22), mac);
  EXPECT_EQ(v4_at(ran.frame, 28), address);
  EXPECT_EQ(mac_at(ran.frame, 32), kOwnMac);
  EXPECT_EQ(v4_at(ran.frame, 38), kOwn);
}

TEST_F(FromContainer, AnswersArpForTheGateway) {
  expect_answer(run_container(arp_frame(question(kGateway))), kGateway, kGatewayMac);
}

TEST_F(FromContainer, AnswersArpForEndpointsHereAndElsewhere) {
  expect_answer(run_container(arp_frame(question(kNeighbour))), kNeighbour, kNeighbourMac);
  expect_answer(run_container(arp_frame(question(kRemote))), kRemote, kRemoteMac);
}

TEST_F(FromContainer, AnswersAnAddressProbeSoThatConflictsShow) {
  Arp probe = question(kRemote);
  probe.sender = IpAddr();
  const Ran ran = run_container(arp_frame(probe));
  EXPECT_EQ(ran.verdict, kRedirect);
  EXPECT_EQ(v4_at(ran.frame, 28), kRemote);
}

TEST_F(FromContainer, KeepsSilentAboutItsOwnAddress) {
  expect_drop(arp_frame(question(kOwn)), "arp_ignored");
  Arp probe = question(kOwn);
  probe.sender = IpAddr();
  expect_drop(arp_frame(probe), "arp_ignored");
}

TEST_F(FromContainer, KeepsSilentAboutUnknownAddresses) {
  expect_drop(arp_frame(question(kNobody)), "no_endpoint");
}

TEST_F(FromContainer, AnswersArpForAddressesThatOtherNodesAssign) {
  expect_drop(arp_frame(question(kFresh)), "no_endpoint");
  put_block();
  expect_answer(run_container(arp_frame(question(kFresh))), kFresh, kFreshMac);
  ASSERT_TRUE(programs_->put_address({Vni{kVni}, kFresh, kRemoteMac, IfIndex{}, kPeerNode}));
  expect_answer(run_container(arp_frame(question(kFresh))), kFresh, kRemoteMac);
}

TEST_F(FromContainer, SendsWhatHasNoEntryToTheNodeThatAssignsIt) {
  expect_drop(udp_frame(own(kFresh, kStaleMac)), "no_endpoint");
  put_block();
  const Ran ran = run_container(udp_frame(own(kFresh, kStaleMac)));
  EXPECT_EQ(ran.verdict, kRedirect);
  EXPECT_EQ(mac_at(ran.frame, 0), kFreshMac);
  EXPECT_EQ(mac_at(ran.frame, 6), kOwnMac);
  expect_drop(udp_frame(own(*IpAddr::parse("10.40.2.64"), kStaleMac)), "no_endpoint");
  ASSERT_TRUE(programs_->detach_underlay().has_value());
  expect_drop(udp_frame(own(kFresh, kStaleMac)), "no_underlay");
}

TEST_F(FromContainer, PassesArpRepliesToTheHost) {
  Arp reply = question(kGateway);
  reply.operation = 2;
  reply.to_mac = kGatewayMac;
  EXPECT_EQ(run_container(arp_frame(reply)).verdict, kPass);
  reply.to_mac = kBroadcast;
  expect_drop(arp_frame(reply), "arp_ignored");
}

TEST_F(FromContainer, RefusesForgedArp) {
  Arp forged = question(kRemote);
  forged.sender = kNeighbour;
  expect_drop(arp_frame(forged), "spoofed_source");
  forged = question(kRemote);
  forged.sender_mac = kNeighbourMac;
  expect_drop(arp_frame(forged), "spoofed_mac");
  forged = question(kRemote);
  forged.from_mac = kNeighbourMac;
  expect_drop(arp_frame(forged), "spoofed_mac");
}

TEST_F(FromContainer, RefusesMalformedArp) {
  Bytes frame = arp_frame(question(kRemote));
  Bytes other = frame;
  other[14] = 9;  // hardware type
  expect_drop(other, "malformed");
  other = frame;
  other[16] = 0x86;  // protocol type
  expect_drop(other, "malformed");
  other = frame;
  other[18] = 8;  // hardware length
  expect_drop(other, "malformed");
  other = frame;
  other[19] = 16;  // protocol length
  expect_drop(other, "malformed");
  frame.resize(41);
  expect_drop(frame, "malformed");
}

TEST_F(FromContainer, DeliversToAnEndpointOfThisNode) {
  const Ran ran = run_container(udp_frame(own(kNeighbour, kStaleMac)));
  EXPECT_EQ(ran.verdict, kRedirect);
  EXPECT_EQ(mac_at(ran.frame, 0), kNeighbourMac);
  EXPECT_EQ(mac_at(ran.frame, 6), kOwnMac);
  EXPECT_EQ(v4_at(ran.frame, 30), kNeighbour);
}

TEST_F(FromContainer, SendsToAnEndpointOfAnotherNode) {
  const Ran ran = run_container(udp_frame(own(kRemote, kStaleMac)));
  EXPECT_EQ(ran.verdict, kRedirect);
  EXPECT_EQ(mac_at(ran.frame, 0), kRemoteMac);
}

TEST_F(FromContainer, NeedsAnUnderlayForOtherNodes) {
  ASSERT_TRUE(programs_->detach_underlay().has_value());
  expect_drop(udp_frame(own(kRemote, kRemoteMac)), "no_underlay");
}

TEST_F(FromContainer, LeavesTheGatewayAndTheWorldToTheHost) {
  EXPECT_EQ(run_container(udp_frame(own(kGateway, kGatewayMac))).verdict, kPass);
  EXPECT_EQ(run_container(udp_frame(own(kWorld, kGatewayMac))).verdict, kPass);
}

TEST_F(FromContainer, KeepsAnInternalNetworkInside) {
  dataplane::OverlayNetwork network = network_;
  network.internal = true;
  ASSERT_TRUE(programs_->put_network(network).has_value());
  expect_drop(udp_frame(own(kWorld, kGatewayMac)), "internal_network");
  EXPECT_EQ(run_container(udp_frame(own(kNeighbour, kNeighbourMac))).verdict, kRedirect);
}

TEST_F(FromContainer, DropsWhatNobodyOwns) {
  expect_drop(udp_frame(own(kNobody, kGatewayMac)), "no_endpoint");
}

TEST_F(FromContainer, RefusesForgedSources) {
  Udp forged = own(kNeighbour, kNeighbourMac);
  forged.from_mac = kNeighbourMac;
  expect_drop(udp_frame(forged), "spoofed_mac");
  forged = own(kNeighbour, kNeighbourMac);
  forged.from = kRemote;
  expect_drop(udp_frame(forged), "spoofed_source");
}

TEST_F(FromContainer, DropsMulticastAndBroadcast) {
  expect_drop(udp_frame(own(*IpAddr::parse("224.0.0.251"), kGatewayMac)), "multicast");
  expect_drop(udp_frame(own(*IpAddr::parse("255.255.255.255"), kGatewayMac)), "multicast");
  expect_drop(udp_frame(own(kNeighbour, kBroadcast)), "multicast");
}

TEST_F(FromContainer, DropsWhatIsNotIpv4) {
  Bytes frame = udp_frame(own(kNeighbour, kNeighbourMac));
  frame[12] = 0x88;
  frame[13] = 0xcc;  // LLDP
  expect_drop(frame, "not_ipv4");
}

TEST_F(FromContainer, DropsMalformedIpv4) {
  const Bytes good = udp_frame(own(kNeighbour, kNeighbourMac));
  Bytes frame = good;
  frame[14] = 0x65;  // version
  expect_drop(frame, "malformed");
  frame = good;
  frame[14] = 0x44;  // header length
  expect_drop(frame, "malformed");
  frame = good;
  frame[16] = 0;
  frame[17] = 19;  // total length
  expect_drop(frame, "malformed");
}

TEST_F(FromContainer, NeedsAPortAndANetwork) {
  ASSERT_TRUE(programs_->remove_network(network_.vni).has_value());
  expect_drop(udp_frame(own(kNeighbour, kNeighbourMac)), "no_network");
  ASSERT_TRUE(programs_->detach_port(IfIndex{1}).has_value());
  expect_drop(udp_frame(own(kNeighbour, kNeighbourMac)), "no_port");
}

TEST_F(FromContainer, CountsBytesOfDrops) {
  const Bytes frame = udp_frame(own(kNobody, kGatewayMac));
  const auto bytes = [this] {
    const auto drops = programs_->drops();
    for (const bpf::DropCount& drop : drops.value())
      if (drop.reason == "no_endpoint") return drop.bytes;
    return std::uint64_t{0};
  };
  const std::uint64_t before = bytes();
  run_container(frame);
  EXPECT_EQ(bytes(), before + frame.size());
}

}  // namespace
}  // namespace heddle::testing
