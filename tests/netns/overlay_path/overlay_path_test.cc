// The overlay's whole path with real packets.
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include "ebpf/abi/probe.h"
#include "tests/netns/overlay_path/two_hosts.h"

namespace heddle::testing {
namespace {

class OverlayPath : public TwoHosts {
 protected:
  // Sends `megabytes` of a pattern over TCP, and checks each byte at the other end.
  // `through`: the address to call when it is not the receiver's own.
  void transfer(const Container& from, const Container& to, int megabytes,
                std::optional<IpAddr> through = std::nullopt);
  // Takes only the filter away, as a careless hand would.
  void remove_filter(const std::string& host, const std::string& device) {
    ASSERT_EQ(run(host, "tc filter del dev " + device + " ingress"), 0);
  }
};

void OverlayPath::transfer(const Container& from, const Container& to, int megabytes,
                           std::optional<IpAddr> through) {
  UniqueFd listener;
  in(to.name, [&] { listener = tcp_listen({to.address, 5001}).value(); });
  std::string block(1 << 20, '\0');
  for (std::size_t i = 0; i < block.size(); ++i)
    block[i] = static_cast<char>(i * 2654435761u >> 13);
  Result<UniqueFd> client = fail(Errc::internal, "not connected");
  in(from.name, [&] { client = tcp_connect({through.value_or(to.address), 5001}); });
  ASSERT_TRUE(client.has_value()) << client.error().text();
  const auto server = tcp_accept(listener.get());
  ASSERT_TRUE(server.has_value()) << server.error().text();
  EXPECT_EQ(peer_of(server->get()).value().address, from.address);
  std::thread sender([&] {
    for (int i = 0; i < megabytes; ++i) {
      std::size_t sent = 0;
      while (sent < block.size()) {
        const ssize_t count =
            ::send(client->get(), block.data() + sent, block.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) return;
        sent += static_cast<std::size_t>(count);
      }
    }
    ::shutdown(client->get(), SHUT_WR);
  });
  std::size_t total = 0;
  bool intact = true;
  std::string buffer(1 << 20, '\0');
  for (;;) {
    const std::size_t room = block.size() - total % block.size();
    const ssize_t count = ::recv(server->get(), buffer.data(), room, 0);
    if (count <= 0) break;
    intact = intact && std::memcmp(buffer.data(), block.data() + total % block.size(),
                                   static_cast<std::size_t>(count)) == 0;
    total += static_cast<std::size_t>(count);
  }
  sender.join();
  EXPECT_EQ(total, static_cast<std::size_t>(megabytes) << 20);
  EXPECT_TRUE(intact);
}

TEST_F(OverlayPath, PingsOnOneHostAndAcross) {
  EXPECT_TRUE(ping(kC1, kC2.address));
  EXPECT_TRUE(ping(kC1, kC3.address));
  EXPECT_TRUE(ping(kC3, kC2.address));
  EXPECT_EQ(all_drops(0), 0u);
  EXPECT_EQ(all_drops(1), 0u);
}

TEST_F(OverlayPath, TheGatewayAnswersAndTheHostReachesItsEndpoints) {
  EXPECT_TRUE(ping(kC1, *IpAddr::parse("10.40.0.1")));
  EXPECT_EQ(run("h1", "ping -q -c 2 -i 0.05 -W 1 10.40.0.6 >/dev/null"), 0);
}

TEST_F(OverlayPath, CarriesTcpIntactBothWays) {
  transfer(kC1, kC3, 64);
  transfer(kC3, kC2, 64);
  transfer(kC1, kC2, 64);
  EXPECT_EQ(all_drops(0), 0u);
  EXPECT_EQ(all_drops(1), 0u);
}

TEST_F(OverlayPath, PacketsForALimitedEndpointPassTheQueueOfItsHostSide) {
  ASSERT_EQ(run("h1", "tc qdisc add dev hvc2 root tbf rate 50mbit burst 65kb limit 1mb"), 0);
  in("h1", [&] {
    const auto put = hosts_[0].programs->put_address({.vni = Vni{kVni},
                                                      .address = kC2.address,
                                                      .mac = kC2.mac,
                                                      .local = {::if_nametoindex("hvc2")},
                                                      .vtep = std::nullopt,
                                                      .queued = true});
    EXPECT_TRUE(put.has_value()) << put.error().text();
  });
  for (const Container& from : {kC1, kC3}) {
    const auto start = std::chrono::steady_clock::now();
    transfer(from, kC2, 8);
    // 1.34 s at the rate, without the bucket's content.
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1250));
  }
  EXPECT_EQ(all_drops(0), 0u);
  EXPECT_EQ(run("h1", "tc qdisc del dev hvc2 root"), 0);
}

TEST_F(OverlayPath, CarriesDatagramsOfEverySize) {
  for (const std::size_t bytes : {0, 1, 1000, 1422, 1423, 9000, 65000}) {
    EXPECT_TRUE(datagram(kC1, kC3, bytes)) << bytes;
    EXPECT_TRUE(datagram(kC1, kC2, bytes)) << bytes;
  }
}

// The vxlan device takes over with its own program when the one on the underlay is missing.
TEST_F(OverlayPath, FallsBackToTheVxlanDevice) {
  remove_filter("h1", "under0");
  remove_filter("h2", "under0");
  in("h1", [&] {
    EXPECT_FALSE(hosts_[0].programs->underlay().value().has_value()) << "and the daemon sees it";
  });
  EXPECT_TRUE(ping(kC1, kC3.address));
  transfer(kC1, kC3, 16);
  EXPECT_TRUE(datagram(kC3, kC1, 9000));
}

// A filter of somebody else, behind ours, that drops what it gets to see.
TEST_F(OverlayPath, OthersFiltersOnTheUnderlaySeeWhatIsNotOurs) {
  ASSERT_EQ(run("h2", "tc filter add dev under0 ingress prio 7 bpf da bytecode '1,6 0 0 2,'"), 0);
  EXPECT_NE(run("h1", "ping -q -c 1 -W 0.3 192.168.50.2 >/dev/null"), 0);
  EXPECT_TRUE(ping(kC3, kC1.address));
  ASSERT_EQ(run("h2", "tc filter del dev under0 ingress prio 7"), 0);
  EXPECT_EQ(run("h1", "ping -q -c 1 -W 1 192.168.50.2 >/dev/null"), 0);
}

// A packet that was opened keeps marks of the tunnel on it; a workload that is itself a router must
// be able to send it on, large frames too.
TEST_F(OverlayPath, AWorkloadMayForwardWhatItGets) {
  ASSERT_EQ(shell(R"(set -e
    ip netns add inner; ip -n inner link set lo up
    ip -n c3 link add down0 type veth peer name eth0 netns inner
    ip -n c3 link set down0 up; ip -n inner link set eth0 up
    ip -n c3 addr add 172.31.0.1/24 dev down0; ip -n inner addr add 172.31.0.2/24 dev eth0
    ip -n inner route add default via 172.31.0.1
    ip netns exec c3 sysctl -qw net.ipv4.ip_forward=1
    ip netns exec c3 nft 'add table ip t
      add chain ip t c { type nat hook prerouting priority -100 ; }
      add rule ip t c tcp dport 5001 dnat to 172.31.0.2')"),
            0);
  Container inner = kC3;
  inner.name = "inner";
  inner.address = *IpAddr::parse("172.31.0.2");
  transfer(kC1, inner, 32, kC3.address);
  ASSERT_EQ(shell("ip -n c3 link set down0 gso_max_size 4000"), 0) << "cut again by software";
  transfer(kC1, inner, 32, kC3.address);
  EXPECT_EQ(shell("ip netns exec c3 nft delete table ip t; ip netns del inner"), 0);
}

// One send of 20 datagrams that the kernel cuts as late as it can (udp(7), UDP_SEGMENT).
TEST_F(OverlayPath, CarriesSegmentedUdp) {
  for (const Container& to : {kC2, kC3}) {
    UniqueFd receiver;
    in(to.name, [&] { receiver = udp_bind({to.address, 5000}).value(); });
    in("c1", [&] {
      const auto socket = udp_open();
      const int segment = 1200;
      ASSERT_EQ(::setsockopt(socket->get(), SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
      std::string text;
      for (int i = 0; i < 20; ++i) text += std::string(segment, static_cast<char>('a' + i));
      ASSERT_TRUE(send_to(socket->get(), text, {to.address, 5000}).has_value());
    });
    for (int i = 0; i < 20; ++i) {
      const auto got = receive(receiver.get());
      ASSERT_TRUE(got.has_value()) << got.error().text() << " at " << i;
      EXPECT_EQ(got->text, std::string(1200, static_cast<char>('a' + i)));
    }
  }
}

TEST_F(OverlayPath, OuterFragmentsTakeTheVxlanDevice) {
  ASSERT_EQ(shell("for h in h1 h2; do ip -n $h link set vx0 mtu 3000; done;"
                  "ip -n h1 link set hvc1 mtu 3000; ip -n c1 link set eth0 mtu 3000;"
                  "ip -n h2 link set hvc3 mtu 3000; ip -n c3 link set eth0 mtu 3000"),
            0);
  EXPECT_TRUE(datagram(kC1, kC3, 2900));
  transfer(kC1, kC3, 4);
  EXPECT_EQ(shell("ip -n h1 link set hvc1 mtu 1450; ip -n c1 link set eth0 mtu 1450;"
                  "ip -n h2 link set hvc3 mtu 1450; ip -n c3 link set eth0 mtu 1450;"
                  "for h in h1 h2; do ip -n $h link set vx0 mtu 1450; done"),
            0);
}

TEST_F(OverlayPath, VxlanDeviceDropsWhatBelongsToNobodyHere) {
  bpf::Programs& h2 = *hosts_[1].programs;
  const Vni vni{kVni};
  ASSERT_TRUE(h2.remove_address(vni, kC3.address).has_value());
  EXPECT_FALSE(datagram(kC1, kC3, 10));
  EXPECT_EQ(drops(1, "no_endpoint"), 1u);
  ASSERT_TRUE(h2.put_address({vni, kC3.address, kC3.mac, IfIndex{}, *IpAddr::parse("192.168.50.9")})
                  .has_value());
  EXPECT_FALSE(datagram(kC1, kC3, 10));
  EXPECT_EQ(drops(1, "not_local"), 1u);
  ASSERT_TRUE(h2.remove_network(vni).has_value());
  EXPECT_FALSE(datagram(kC1, kC3, 10));
  EXPECT_EQ(drops(1, "no_network"), 1u);
}

TEST_F(OverlayPath, SourcesThatLiveElsewhereAreRefusedOnBothWaysIn) {
  bpf::Programs& h2 = *hosts_[1].programs;
  const Vni vni{kVni};
  for (const bool fallback : {false, true}) {
    if (fallback) remove_filter("h2", "under0");
    const std::uint64_t unknown = drops(1, "unknown_source");
    const std::uint64_t spoofed = drops(1, "spoofed_source");
    ASSERT_TRUE(h2.remove_address(vni, kC1.address).has_value());
    EXPECT_FALSE(datagram(kC1, kC3, 10));
    EXPECT_EQ(drops(1, "unknown_source"), unknown + 1);
    ASSERT_TRUE(
        h2.put_address({vni, kC1.address, kC1.mac, IfIndex{}, *IpAddr::parse("192.168.50.9")})
            .has_value());
    EXPECT_FALSE(datagram(kC1, kC3, 10));
    EXPECT_EQ(drops(1, "spoofed_source"), spoofed + 1);
    ASSERT_TRUE(
        h2.put_address({vni, kC1.address, kC1.mac, IfIndex{}, hosts_[0].address}).has_value());
    EXPECT_TRUE(datagram(kC1, kC3, 10));
  }
}

TEST_F(OverlayPath, ABlockIsEnoughForAnEndpointThatTheOtherHostHasNotHeardOf) {
  bpf::Programs& h2 = *hosts_[1].programs;
  const Vni vni{kVni};
  const Prefix block = *Prefix::parse("10.40.0.0/26");
  ASSERT_TRUE(h2.remove_address(vni, kC1.address).has_value());
  for (const bool fallback : {false, true}) {
    if (fallback) remove_filter("h2", "under0");
    ASSERT_EQ(run("c3", "ip neigh flush dev eth0"), 0);
    EXPECT_FALSE(ping(kC1, kC3.address)) << "without the block";
    ASSERT_TRUE(h2.put_block({vni, block, hosts_[0].address, kC2.mac}).has_value());
    const std::uint64_t here = all_drops(0);
    const std::uint64_t there = all_drops(1);
    EXPECT_TRUE(ping(kC1, kC3.address));
    transfer(kC1, kC3, 1);
    transfer(kC3, kC1, 1);
    EXPECT_EQ(all_drops(0), here);
    EXPECT_EQ(all_drops(1), there);
    ASSERT_TRUE(h2.remove_block(vni, block).has_value());
  }
}

TEST_F(OverlayPath, WhatIsForNobodyInABlockIsDroppedByItsNode) {
  bpf::Programs& h2 = *hosts_[1].programs;
  ASSERT_TRUE(
      h2.put_block({Vni{kVni}, *Prefix::parse("10.40.0.0/26"), hosts_[0].address, kC2.mac}));
  const std::uint64_t here = drops(0, "no_endpoint");
  const std::uint64_t there = all_drops(1);
  EXPECT_FALSE(ping(kC3, *IpAddr::parse("10.40.0.40")));
  EXPECT_EQ(drops(0, "no_endpoint"), here + 3);
  EXPECT_EQ(all_drops(1), there);
}

TEST_F(OverlayPath, EndpointsCannotSendAsOthers) {
  ASSERT_EQ(shell("ip -n c1 addr add 10.40.0.99/20 dev eth0"), 0);
  const std::uint64_t before = drops(0, "spoofed_source");
  EXPECT_NE(run("c1", "ping -q -c 2 -i 0.05 -W 0.2 -I 10.40.0.99 10.40.1.7 >/dev/null"), 0);
  EXPECT_GT(drops(0, "spoofed_source"), before);
  ASSERT_EQ(shell("ip -n c1 addr del 10.40.0.99/20 dev eth0"), 0);
}

heddle_probe_packet question(std::uint64_t nonce) {
  heddle_probe_packet packet{};
  packet.vxlan.flags = HEDDLE_VXLAN_FLAG_VNI;
  packet.probe.magic = __builtin_bswap32(HEDDLE_PROBE_MAGIC);
  packet.probe.version = HEDDLE_PROBE_VERSION;
  packet.probe.kind = HEDDLE_PROBE_REQUEST;
  packet.probe.nonce = nonce;
  return packet;
}

TEST_F(OverlayPath, ProbesAreAnsweredWithoutAProcess) {
  hosts_[1].programs.reset();  // the daemon is gone, its programs are not
  const heddle_probe_packet asked = question(0x1234567);
  in("h1", [&] {
    const auto socket = udp_bind(at("192.168.50.1:0"));
    ASSERT_TRUE(socket.has_value());
    const std::string text(reinterpret_cast<const char*>(&asked), sizeof(asked));
    ASSERT_TRUE(send_to(socket->get(), text, at("192.168.50.2:4789")).has_value());
    const auto reply = receive(socket->get());
    ASSERT_TRUE(reply.has_value()) << reply.error().text();
    EXPECT_EQ(reply->from, at("192.168.50.2:4789"));
    heddle_probe_packet answer{};
    ASSERT_EQ(reply->text.size(), sizeof(answer));
    std::memcpy(&answer, reply->text.data(), sizeof(answer));
    EXPECT_EQ(answer.probe.kind, HEDDLE_PROBE_REPLY);
    EXPECT_EQ(answer.probe.nonce, asked.probe.nonce);
    EXPECT_EQ(__builtin_bswap64(answer.probe.epoch), kEpoch);
  });
  load(hosts_[1]);
}

// Numbered datagrams both ways while one host's programs are loaded anew five times.
TEST_F(OverlayPath, ANewProcessTakesOverWithoutLosingAPacket) {
  UniqueFd left;
  UniqueFd right;
  in("c1", [&] { left = udp_bind({kC1.address, 6000}).value(); });
  in("c3", [&] { right = udp_bind({kC3.address, 6000}).value(); });
  const int room = 8 << 20;
  for (const UniqueFd* socket : {&left, &right})
    ::setsockopt(socket->get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
  std::atomic<bool> done = false;
  int sent = 0;
  std::thread sender([&] {
    while (!done) {
      const std::string number = std::to_string(sent);
      if (!send_to(left.get(), number, {kC3.address, 6000}) ||
          !send_to(right.get(), number, {kC1.address, 6000}))
        break;
      ++sent;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  for (int i = 0; i < 5; ++i) {
    hosts_[0].programs.reset();
    load(hosts_[0]);
    EXPECT_TRUE(hosts_[0].programs->adopted());
    in("h1", [&] {
      EXPECT_EQ(hosts_[0].programs->ports().value().size(), 2u);
      EXPECT_TRUE(hosts_[0].programs->underlay().value().has_value());
    });
  }
  done = true;
  sender.join();
  EXPECT_GT(sent, 100);
  for (const UniqueFd* socket : {&left, &right}) {
    give_up_after(socket->get(), std::chrono::milliseconds(200));
    int received = 0;
    while (receive(socket->get())) ++received;
    EXPECT_EQ(received, sent);
  }
}

}  // namespace
}  // namespace heddle::testing
