// Published ports as the kernel carries them: from outside, from the host, from endpoints.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <tuple>

#include "dataplane/conntrack/flows.h"
#include "tests/netns/firewall/world.h"

namespace heddle::dataplane {
namespace {

class PublishedPorts : public World {};

TEST_F(PublishedPorts, AreReachedFromOutsideWithTheClientsAddressKept) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  publish(Protocol::tcp, "[::]:8080", "[fd00:77::5]:80");
  EXPECT_EQ(reach(outside_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "192.0.2.2");
  EXPECT_EQ(reach(outside_, "[2001:db8::1]:8080", a_, "[fd00:77::5]:80"), "2001:db8::2");
  EXPECT_EQ(reach(outside_, "192.0.2.1:8081", a_, "10.77.0.5:80"), "") << "another port";
}

TEST_F(PublishedPorts, OfOneAddressComeBeforeThoseOfAll) {
  host::run("ip addr add 192.0.2.3/24 dev out0");
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  publish(Protocol::tcp, "192.0.2.3:8080", "10.77.0.6:80");
  EXPECT_EQ(reach(outside_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "192.0.2.2");
  EXPECT_EQ(reach(outside_, "192.0.2.3:8080", b_, "10.77.0.6:80"), "192.0.2.2");
}

TEST_F(PublishedPorts, AreTheHostsAloneNotThoseOfMachinesBehindIt) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  EXPECT_EQ(reach(b_, "192.0.2.2:8080", outside_, "192.0.2.2:8080"), "192.0.2.1")
      << "an endpoint's own connection to port 8080 of another machine";
}

TEST_F(PublishedPorts, AreReachedFromTheHostThroughEveryAddressOfItsOwn) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  publish(Protocol::tcp, "[::]:8080", "[fd00:77::5]:80");
  EXPECT_EQ(reach("", "192.0.2.1:8080", a_, "10.77.0.5:80"), "192.0.2.1");
  EXPECT_EQ(reach("", "10.77.0.1:8080", a_, "10.77.0.5:80"), "10.77.0.1");
  EXPECT_EQ(reach("", "127.0.0.1:8080", a_, "10.77.0.5:80"), "10.77.0.1") << "masqueraded";
  EXPECT_EQ(reach("", "[2001:db8::1]:8080", a_, "[fd00:77::5]:80"), "2001:db8::1");
}

TEST_F(PublishedPorts, OfLoopbackAreTheHostsAlone) {
  publish(Protocol::tcp, "127.0.0.1:8080", "10.77.0.5:80");
  EXPECT_EQ(reach("", "127.0.0.1:8080", a_, "10.77.0.5:80"), "10.77.0.1");
  EXPECT_EQ(reach("", "192.0.2.1:8080", a_, "10.77.0.5:80"), "");
  EXPECT_EQ(reach(outside_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "");
}

// CVE-2020-8558: with route_localnet, a neighbour that routes 127.0.0.1 to us would reach it.
TEST_F(PublishedPorts, LeaveTheHostsLoopbackClosedToEndpoints) {
  publish(Protocol::tcp, "127.0.0.1:8080", "10.77.0.5:80");
  host::run_in(b_,
               "ip addr del 127.0.0.1/8 dev lo; ip route del local 127.0.0.0/8 table local; "
               "ip route add 127.0.0.1 via 10.77.0.1; "
               "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");
  EXPECT_EQ(reach(b_, "127.0.0.1:8080", a_, "10.77.0.5:80"), "") << "the published port";
  EXPECT_EQ(reach(b_, "127.0.0.1:9999", "", "127.0.0.1:9999"), "") << "a service of the host";
  EXPECT_NE(host::run("nft list counter inet heddle_test martian").find("packets"),
            std::string::npos);
  EXPECT_EQ(host::status_of("nft list counter inet heddle_test martian | grep -q 'packets 0 '"), 1);
  // It is the guard that refuses: without it the kernel lets it in.
  host::run("nft flush chain inet heddle_test raw");
  EXPECT_EQ(reach(b_, "127.0.0.1:9999", "", "127.0.0.1:9999"), "10.77.0.6");
}

TEST_F(PublishedPorts, OfIpv6LoopbackAreRefused) {
  const PublishedKey key{Protocol::tcp, ip("::1"), 8080};
  const auto refused = kernel_->apply(ChangePublished{{{key, {ip("fd00:77::5"), 80}}}, {}});
  EXPECT_EQ(refused.error().code(), Errc::invalid);
}

// With bridge-nf-call-iptables, translated packets stay in the bridge, which gives none back to the
// port it came from unless that is in hairpin mode.
TEST_F(PublishedPorts, AreReachedByTheEndpointItself) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  host::run("echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables || true");
  EXPECT_EQ(reach(a_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "10.77.0.1");
  host::run("echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables || true");
  host::run("ip link set hva type bridge_slave hairpin on");
  EXPECT_EQ(reach(a_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "10.77.0.1");
}

// An ICMP redirect would send the second packet to the endpoint directly.
TEST_F(PublishedPorts, AreReachedByASiblingAgainAndAgain) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  host::run("echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables || true");
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(reach(b_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "10.77.0.1");
  EXPECT_EQ(host::run_in(b_, "ip route get 192.0.2.1 | grep -c redirected || true"), "0");
}

TEST_F(PublishedPorts, AreReachedByASiblingAndAnotherNetwork) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  publish(Protocol::tcp, "[::]:8080", "[fd00:77::5]:80");
  EXPECT_EQ(reach(b_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "10.77.0.1") << "a sibling";
  EXPECT_EQ(reach(b_, "10.77.0.1:8080", a_, "10.77.0.5:80"), "10.77.0.1") << "by the gateway";
  EXPECT_EQ(reach(c_, "192.0.2.1:8080", a_, "10.77.0.5:80"), "10.77.0.1") << "another network";
  EXPECT_EQ(reach(b_, "[2001:db8::1]:8080", a_, "[fd00:77::5]:80"), "fd00:77::1");
  EXPECT_EQ(reach(c_, "[2001:db8::1]:8080", a_, "[fd00:77::5]:80"), "fd00:77::1");
  EXPECT_EQ(reach(b_, "10.77.0.5:80", a_, "10.77.0.5:80"), "10.77.0.6") << "directly, unchanged";
}

TEST_F(PublishedPorts, OfSctpAreTakenWhereTheKernelCanTranslateIt) {
  const PublishedKey key{Protocol::sctp, IpAddr(), 8080};
  const auto applied = kernel_->apply(ChangePublished{{{key, {ip("10.77.0.5"), 80}}}, {}});
  if (conntrack::translates(Protocol::sctp)) {
    EXPECT_TRUE(applied);
    EXPECT_TRUE(kernel_->observe(wanted_)->published.contains(key));
  } else {
    EXPECT_EQ(applied.error().code(), Errc::unsupported);
  }
}

// --- live UDP flows: the same socket goes on sending (moby#8795) ---

TEST_F(PublishedPorts, AUdpFlowFollowsThePortToAnotherEndpoint) {
  for (const auto& [at, to_a, to_b] :
       {std::tuple("0.0.0.0:53", "10.77.0.5:5353", "10.77.0.6:5353"),
        std::tuple("[::]:53", "[fd00:77::5]:5353", "[fd00:77::6]:5353")}) {
    const UniqueFd a = udp_bound(a_, to_a);
    const UniqueFd b = udp_bound(b_, to_b);
    const UniqueFd client =
        udp_connected(outside_, at[0] == '0' ? "192.0.2.1:53" : "[2001:db8::1]:53");
    EXPECT_TRUE(send(client));
    EXPECT_FALSE(receives(a)) << "not published yet: the host refuses";
    publish(Protocol::udp, at, to_a);
    EXPECT_TRUE(send(client));
    EXPECT_TRUE(receives(a)) << "the flow to the host was forgotten";
    publish(Protocol::udp, at, to_b);
    EXPECT_TRUE(send(client));
    EXPECT_TRUE(receives(b)) << "the flow to a was forgotten";
    EXPECT_FALSE(receives(a));
    const SocketAddr key = SocketAddr::parse(at).value();
    apply(ChangePublished{{}, {{Protocol::udp, key.address, key.port}}});
    wanted_.published.clear();
    EXPECT_TRUE(send(client));
    EXPECT_FALSE(receives(b)) << "withdrawn";
  }
}

TEST_F(PublishedPorts, FlowsOfOtherPortsAreNotForgotten) {
  const UniqueFd a = udp_bound(a_, "10.77.0.5:5353");
  const UniqueFd b = udp_bound(b_, "10.77.0.6:5353");
  const UniqueFd client = udp_connected(outside_, "192.0.2.1:54");
  publish(Protocol::udp, "0.0.0.0:54", "10.77.0.5:5353");
  EXPECT_TRUE(send(client));
  EXPECT_TRUE(receives(a));
  // A flow that was forgotten would be translated anew, and differently.
  host::run(
      "nft 'delete element inet heddle_test anywhere4 { udp . 54 }; "
      "add element inet heddle_test anywhere4 { udp . 54 : 10.77.0.6 . 5353 }'");
  publish(Protocol::udp, "0.0.0.0:53", "10.77.0.5:5353");
  publish(Protocol::udp, "0.0.0.0:53", "10.77.0.6:5353");
  apply(ChangePublished{{}, {{Protocol::udp, IpAddr(), 53}}});
  EXPECT_TRUE(send(client));
  EXPECT_TRUE(receives(a));
  EXPECT_FALSE(receives(b));
}

TEST_F(PublishedPorts, AFlowThatTheOldEndpointBeganFromThePortIsForgotten) {
  publish(Protocol::udp, "0.0.0.0:5353", "10.77.0.5:5353");
  const UniqueFd a = udp_bound(a_, "10.77.0.5:5353");
  const UniqueFd b = udp_bound(b_, "10.77.0.6:5353");
  const UniqueFd client = udp_bound(outside_, "192.0.2.2:4000");
  // a sends first: its masqueraded source is the published port, and answers belong to its flow.
  sockaddr_in goal{};
  goal.sin_family = AF_INET;
  goal.sin_port = htons(4000);
  goal.sin_addr.s_addr = ip("192.0.2.2").v4_be();
  EXPECT_EQ(::sendto(a.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&goal), sizeof goal), 1);
  EXPECT_TRUE(receives(client));
  publish(Protocol::udp, "0.0.0.0:5353", "10.77.0.6:5353");
  sockaddr_in host{};
  host.sin_family = AF_INET;
  host.sin_port = htons(5353);
  host.sin_addr.s_addr = ip("192.0.2.1").v4_be();
  EXPECT_EQ(::sendto(client.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&host), sizeof host), 1);
  EXPECT_TRUE(receives(b));
  EXPECT_FALSE(receives(a));
}

}  // namespace
}  // namespace heddle::dataplane
