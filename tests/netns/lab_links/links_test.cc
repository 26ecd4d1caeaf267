// Impaired links as traffic meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/netns/netns.h"
#include "tests/support/lab_links/world.h"
#include "topologies/engine/plan/settings.h"

namespace heddle::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kThere = "10.0.0.2";

World::Flow there(int count) {
  return {.from = "a", .to = "b", .address = kThere, .count = count};
}

// What the decision function says of the first packets of a direction.
std::vector<std::uint32_t> surviving(std::uint64_t key, const format::Impairment& impairment,
                                     int count) {
  const heddle_wire_settings settings = plan::wire_settings(impairment, key);
  std::vector<std::uint32_t> out;
  int lost = 0;
  for (int n = 0; n < count; ++n) {
    lost = heddle_wire_lost(&settings, static_cast<std::uint64_t>(n), lost);
    if (!lost) out.push_back(static_cast<std::uint32_t>(n));
  }
  return out;
}

std::chrono::nanoseconds median(std::vector<World::Arrival> arrivals) {
  if (arrivals.empty()) return {};
  std::ranges::sort(arrivals, {}, &World::Arrival::took);
  return arrivals[arrivals.size() / 2].took;
}

// Sees and sends whole frames on a node's eth1.
UniqueFd packet_socket(const World& world, const std::string& node) {
  UniqueFd out;
  const UniqueFd space = netns::open(world.netns(node)).value();
  EXPECT_TRUE(netns::run_in(space.get(), [&]() -> Result<> {
    out.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = htons(ETH_P_ALL);
    at.sll_ifindex = static_cast<int>(::if_nametoindex("eth1"));
    EXPECT_EQ(::bind(out.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    const int on = 1;
    EXPECT_EQ(::setsockopt(out.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof on), 0);
    return {};
  }));
  return out;
}

struct Tagged {
  int tag = -1;
  std::string frame;  // without it
};
Tagged receive_tagged(int socket) {
  Tagged out;
  std::array<char, 2048> buffer;
  alignas(cmsghdr) std::array<char, 256> control;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket, &message, 0);
  if (got > 0) out.frame.assign(buffer.data(), static_cast<std::size_t>(got));
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != PACKET_AUXDATA) return out;
  tpacket_auxdata auxiliary;
  std::memcpy(&auxiliary, CMSG_DATA(header), sizeof auxiliary);
  if (auxiliary.tp_status & TP_STATUS_VLAN_VALID) out.tag = auxiliary.tp_vlan_tci;
  return out;
}

TEST(LabLinks, TheSamePacketsAreLostInEachRun) {
  std::vector<std::uint32_t> first;
  for (int run = 0; run < 2; ++run) {
    World world(two_nodes("{forward: {loss: {share: 20%, burst: 3}}}"));
    const auto arrived = numbers_of(world.send(there(500)));
    const plan::Wire& wire = world.plan().wires.at(0);
    EXPECT_EQ(arrived, surviving(wire.forward_key, wire.impair.forward, 500));
    if (run == 0) first = arrived;
    EXPECT_EQ(arrived, first);
    const control::LinkStatus status = world.status("a:eth1");
    EXPECT_EQ(status.forward.packets, 500U);
    EXPECT_EQ(status.forward.lost, 500 - arrived.size());
    EXPECT_EQ(status.backward.packets, 0U);
    EXPECT_EQ(status.backend, "loss by bpf");
  }
  EXPECT_LT(first.size(), 460U);
  EXPECT_GT(first.size(), 300U);
}

TEST(LabLinks, LossIsOfTheDirectionThatHasIt) {
  World world(two_nodes("{backward: {loss: 100%}}"));
  EXPECT_EQ(world.send(there(50)).size(), 50U);
  EXPECT_EQ(world.send({.from = "b", .to = "a", .address = "10.0.0.1", .count = 50}).size(), 0U);
  EXPECT_EQ(world.status("b:eth1").backward.lost, 50U);
}

TEST(LabLinks, DuplicatesArriveRightBehindTheirOriginals) {
  World world(two_nodes("{forward: {duplicate: 30%}}"));
  const auto arrived = world.send(there(300));
  const plan::Wire& wire = world.plan().wires.at(0);
  const auto settings = plan::wire_settings(wire.impair.forward, wire.forward_key);
  std::vector<std::uint32_t> expected;
  for (std::uint32_t n = 0; n < 300; ++n) {
    expected.push_back(n);
    if (heddle_wire_decide(&settings, n, 142).duplicated) expected.push_back(n);
  }
  std::vector<std::uint32_t> seen;
  for (const auto& arrival : arrived) seen.push_back(arrival.number);
  EXPECT_EQ(seen, expected);
  EXPECT_GT(seen.size(), 350U);
}

TEST(LabLinks, CorruptedPacketsFailTheirChecksums) {
  World world(two_nodes("{forward: {corrupt: 25%}}"));
  const auto arrived = world.send(there(400));
  const control::LinkStatus status = world.status("a:eth1");
  EXPECT_EQ(arrived.size(), 400 - status.forward.corrupted);
  EXPECT_GT(status.forward.corrupted, 60U);
}

TEST(LabLinks, ADelayIsNeverShorterAndNotMuchLonger) {
  World world(two_nodes("{delay: 50ms}"));
  const auto arrived =
      world.send({.from = "a", .to = "b", .address = kThere, .count = 200, .pace = 1ms});
  ASSERT_EQ(arrived.size(), 200U);
  for (const auto& arrival : arrived) EXPECT_GE(arrival.took, 50ms);
  EXPECT_LT(median(arrived), 250ms);
  for (std::size_t i = 0; i < arrived.size(); ++i) EXPECT_EQ(arrived[i].number, i);
}

TEST(LabLinks, JitterFollowsFromTheSeed) {
  World world(two_nodes("{forward: {delay: 200ms, jitter: 100ms, limit: 2000}}"));
  const auto arrived = world.send(there(300));
  ASSERT_EQ(arrived.size(), 300U);
  const plan::Wire& wire = world.plan().wires.at(0);
  const auto settings = plan::wire_settings(wire.impair.forward, wire.forward_key);
  bool overtook = false;
  for (const auto& arrival : arrived) {
    const std::chrono::nanoseconds wanted(heddle_wire_delay_ns(&settings, arrival.number));
    EXPECT_GE(arrival.took, wanted) << arrival.number;
    EXPECT_LT(arrival.took, wanted + 1s) << arrival.number;
  }
  for (std::size_t i = 1; i < arrived.size(); ++i)
    overtook |= arrived[i].number < arrived[i - 1].number;
  EXPECT_TRUE(overtook);
  EXPECT_EQ(world.status("a:eth1").backend, "delay by relay");
  control::Fidelity fidelity;
  world.links().add_to(fidelity);
  EXPECT_EQ(fidelity.relayed, 300U);
  EXPECT_EQ(fidelity.overrun, 0U);
  EXPECT_GT(fidelity.late_max, 0us);
}

TEST(LabLinks, ReorderedPacketsOvertakeTheDelayedOnes) {
  World world(two_nodes("{forward: {delay: 300ms, reorder: 20%}}"));
  const auto arrived = world.send(there(200));
  ASSERT_EQ(arrived.size(), 200U);
  const plan::Wire& wire = world.plan().wires.at(0);
  const auto settings = plan::wire_settings(wire.impair.forward, wire.forward_key);
  std::size_t early = 0;
  for (const auto& arrival : arrived) {
    const bool reordered = heddle_wire_decide(&settings, arrival.number, 142).reordered;
    EXPECT_EQ(arrival.took < 300ms, reordered) << arrival.number;
    early += reordered;
  }
  EXPECT_GT(early, 20U);
}

TEST(LabLinks, NoMoreWaitThanTheLimit) {
  World world(two_nodes("{forward: {delay: 300ms, limit: 30}}"));
  const auto arrived = numbers_of(world.send(there(100)));
  EXPECT_GE(arrived.size(), 30U);
  EXPECT_LE(arrived.size(), 60U);  // a slow sender's first ones leave while it sends
  EXPECT_EQ(arrived[29], 29U);
}

TEST(LabLinks, ARateIsKeptAndItsQueueIsBounded) {
  World world(two_nodes("{forward: {rate: 2mbit, limit: 50}}"));
  // 1,042 bytes a frame: 4.2 ms each at 2 Mb/s; the bucket holds three.
  const auto arrived =
      world.send({.from = "a", .to = "b", .address = kThere, .count = 100, .bytes = 1000});
  EXPECT_GE(arrived.size(), 50U);
  EXPECT_LE(arrived.size(), 75U);  // some leave while others are still sent
  EXPECT_GE(arrived.back().took, 46 * 4100us);
  EXPECT_EQ(world.status("a:eth1").backend, "rate by tbf");
  // Both at once: the bucket drains behind the delay.
  ASSERT_TRUE(world.links().impair(
      "a:eth1", format::Impairment{.delay = 100ms, .rate = 2'000'000, .limit = 50}, {}));
  const auto later =
      world.send({.from = "a", .to = "b", .address = kThere, .count = 40, .bytes = 1000});
  ASSERT_EQ(later.size(), 40U);
  EXPECT_GE(later.front().took, 100ms);
  EXPECT_GE(later.back().took, 100ms + 36 * 4100us);
}

TEST(LabLinks, ACutLinkHasNoCarrierAndKeepsItsAddresses) {
  World world(two_nodes("{}"));
  EXPECT_EQ(world.send(there(20)).size(), 20U);
  ASSERT_TRUE(world.links().cut("b:eth1"));
  for (const char* node : {"a", "b"}) {
    EXPECT_EQ(host::run_in(world.netns(node), "ip -br link show eth1 | grep -c NO-CARRIER"), "1");
    EXPECT_THAT(host::run_in(world.netns(node), "ip -br addr show eth1"), HasSubstr("10.0.0."));
  }
  EXPECT_EQ(world.status("a:eth1").state, "cut");
  EXPECT_THAT(world.links().cut("a:eth1").error().text(), HasSubstr("is cut already"));
  EXPECT_EQ(world.send(there(20)).size(), 0U);
  ASSERT_TRUE(world.links().mend("a:eth1"));
  EXPECT_EQ(world.send(there(20)).size(), 20U);
  EXPECT_THAT(world.links().mend("a:eth1").error().text(), HasSubstr("is not cut"));
}

TEST(LabLinks, ImpairmentsChangeWhilePacketsPass) {
  World world(two_nodes("{forward: {loss: 10%}}"));
  world.send(there(100));
  ASSERT_TRUE(world.links().impair("a:eth1", format::Impairment{.loss = 1}, std::nullopt));
  EXPECT_EQ(world.send(there(50)).size(), 0U);
  ASSERT_TRUE(world.links().impair("a:eth1", format::Impairment{.delay = 20ms}, std::nullopt));
  const auto delayed = world.send(there(50));
  ASSERT_EQ(delayed.size(), 50U);
  EXPECT_GE(delayed.front().took, 20ms);
  EXPECT_EQ(world.status("a:eth1").backward.impairment, format::Impairment{});
  ASSERT_TRUE(world.links().impair("a:eth1", std::nullopt, std::nullopt));
  EXPECT_EQ(world.status("a:eth1").forward.impairment, format::Impairment{.loss = 0.1});
  EXPECT_EQ(world.status("a:eth1").forward.packets, 200U);
  const auto wrong =
      world.links().impair("a:eth1", format::Impairment{.delay = 1ms, .jitter = 2ms}, {});
  EXPECT_EQ(wrong.error().code(), Errc::invalid);
  EXPECT_EQ(world.status("a:eth1").forward.impairment, format::Impairment{.loss = 0.1});
}

// As when a lab is deployed again with another file.
TEST(LabLinks, AnotherFileIsAnotherImpairment) {
  World world(two_nodes("{forward: {loss: 100%}}"));
  EXPECT_EQ(world.send(there(20)).size(), 0U);
  plan::Wire& wire = world.change_plan().wires.at(0);
  wire.impair.forward = {.loss = 0.5};
  wire.forward_key = 99;
  ASSERT_TRUE(world.links().settle());
  const auto arrived = world.send(there(100)).size();
  EXPECT_GT(arrived, 20U);
  EXPECT_LT(arrived, 80U);
  // What was changed by hand stays as long as the file does.
  ASSERT_TRUE(world.links().impair("a:eth1", format::Impairment{}, std::nullopt));
  ASSERT_TRUE(world.links().settle());
  EXPECT_EQ(world.send(there(20)).size(), 20U);
}

TEST(LabLinks, ALinkWithNothingBetweenItsEndsIsRefused) {
  World world(two_nodes(""));
  for (const auto& refused :
       {world.links().cut("a:eth1"),
        world.links().impair("a:eth1", format::Impairment{.loss = 1}, std::nullopt)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::conflict);
    EXPECT_THAT(refused.error().text(), HasSubstr("give it `impair: {}` in the lab's file"));
  }
  EXPECT_THAT(world.links().cut("a:eth2").error().text(), HasSubstr("did you mean"));
}

// Frames of at most the MTU with their checksums in them: a byte on the wire is one that counts.
TEST(LabLinks, SegmentsAreCutBeforeTheWire) {
  World world(two_nodes("{}"));
  const auto answer = host::exchange_tcp({.client = world.netns("a"),
                                          .server = world.netns("b"),
                                          .address = SocketAddr::parse("10.0.0.2:80").value(),
                                          .bytes = 1'000'000});
  EXPECT_THAT(answer, HasSubstr("10.0.0.1"));
  EXPECT_GE(world.status("a:eth1").forward.packets, 1'000'000U / 1448);
}

TEST(LabLinks, TagsPassTheRelay) {
  World world(two_nodes("{delay: 10ms}"));
  const UniqueFd from = packet_socket(world, "a");
  const UniqueFd to = packet_socket(world, "b");
  const std::string addresses = "\x02\x01\x01\x01\x01\x01\x02\x02\x02\x02\x02\x02";
  const std::string frame = addresses + std::string("\x81\x00\x60\x05", 4) + "\x12\x34" +
                            std::string(1500, 'x');  // a full frame, and its tag
  ASSERT_EQ(::send(from.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()))
      << std::strerror(errno);
  pollfd polled{to.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&polled, 1, 5000), 1);
  const Tagged got = receive_tagged(to.get());
  EXPECT_EQ(got.tag, 0x6005);
  EXPECT_EQ(got.frame, addresses + "\x12\x34" + std::string(1500, 'x'));
}

constexpr const char* kUnderlay = R"(
name: under
hosts:
  h1: {daemon: false, impair: {forward: {loss: 25%}}}
  h2: {daemon: false}
  h3: {daemon: false}
)";

TEST(LabLinks, HostsAreImpairedOnTheirWayToTheUnderlay) {
  World world(kUnderlay);
  // Neighbours are known, though some questions for them are lost.
  host::run_in(world.netns("h1"), "until ping -c 1 -W 1 10.99.0.12; do :; done");
  const auto before = world.status("h1").forward;
  const auto arrived =
      world.send({.from = "h1", .to = "h2", .address = "10.99.0.12", .count = 300});
  EXPECT_LT(arrived.size(), 270U);
  EXPECT_GT(arrived.size(), 150U);
  EXPECT_GE(world.status("h1").forward.packets, before.packets + 300);
  EXPECT_EQ(world.send({.from = "h2", .to = "h3", .address = "10.99.0.13"}).size(), 100U);
}

TEST(LabLinks, PartitionsDropWhatCrossesThemOneWayOrBoth) {
  World world(kUnderlay);
  const World::Flow out{.from = "h2", .to = "h3", .address = "10.99.0.13", .count = 20};
  const World::Flow back{.from = "h3", .to = "h2", .address = "10.99.0.12", .count = 20};
  const auto loses = [&](const World::Flow& flow) { return world.send(flow).size() == 0; };
  // Neighbours are known before one way is severed, as they would be.
  EXPECT_FALSE(loses(out));
  EXPECT_FALSE(loses(back));
  ASSERT_TRUE(world.links().partition({{"h2", "h3"}}));
  EXPECT_TRUE(loses(out));
  EXPECT_FALSE(loses(back));
  ASSERT_TRUE(world.links().partition({{"h3", "h2"}}));
  EXPECT_FALSE(loses(out));
  EXPECT_TRUE(loses(back));
  ASSERT_TRUE(world.links().partition({}));
  EXPECT_FALSE(loses(back));
  EXPECT_THAT(world.links().partition({{"h2", "h9"}}).error().text(),
              HasSubstr("no host or node \"h9\" is on the underlay"));
}

TEST(LabLinks, AHostsPortIsCutAlsoWithoutAWire) {
  World world(kUnderlay);
  const World::Flow flow{.from = "h3", .to = "h2", .address = "10.99.0.12", .count = 20};
  EXPECT_EQ(world.send(flow).size(), 20U);
  ASSERT_TRUE(world.links().cut("h2"));
  EXPECT_EQ(host::run_in(world.netns("h2"), "ip -br link show eth0 | grep -c NO-CARRIER"), "1");
  EXPECT_EQ(world.send(flow).size(), 0U);
  ASSERT_TRUE(world.links().mend("h2"));
  EXPECT_EQ(world.send(flow).size(), 20U);
}

// As a power cut and a start do it.
TEST(LabLinks, AMemberThatComesBackHasItsLinksAsTheyWere) {
  World world(two_nodes("{forward: {loss: 10%}}"));
  world.send(there(100));
  ASSERT_TRUE(world.links().impair("a:eth1", format::Impairment{.delay = 30ms}, {}));
  const auto before = world.status("a:eth1").forward.packets;
  ASSERT_TRUE(world.links().member_down("a"));
  ASSERT_TRUE(world.fabric().cut("a"));
  EXPECT_EQ(host::run_in(world.netns("b"), "ip -br link show eth1 | grep -c NO-CARRIER"), "1");
  ASSERT_TRUE(world.fabric().remove_member("a"));
  EXPECT_EQ(world.status("a:eth1").state, "down");
  ASSERT_TRUE(world.fabric().restore("a"));
  world.links().member_up("a");
  ASSERT_TRUE(world.links().settle());
  EXPECT_EQ(world.status("a:eth1").state, "up");
  const auto arrived = world.send(there(50));
  ASSERT_EQ(arrived.size(), 50U);
  EXPECT_GE(arrived.front().took, 30ms);
  EXPECT_GE(world.status("a:eth1").forward.packets, before + 50);
}

}  // namespace
}  // namespace heddle::testing
