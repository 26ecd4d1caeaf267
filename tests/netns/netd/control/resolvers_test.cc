// The resolvers of a workload and of the host where they are used: at their own addresses, in a
// sandbox and in a namespace that stands for the host.
#include "netd/control/resolvers.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "dataplane/netns/netns.h"
#include "dataplane/netns/visitor.h"
#include "netd/dns/message.h"
#include "netd/model/index.h"
#include "tests/support/held_up_keeper.h"
#include "tests/support/private_netns.h"
#include "tests/support/views.h"

namespace heddle::control {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const auto* const kPrivate = ::testing::AddGlobalTestEnvironment(new PrivateNetns);
const SocketAddr kHostAddress{IpAddr::v4(0x7f00000c), 53};  // 127.0.0.12

dns::Bytes query_of(const std::string& name, dns::Type type) {
  dns::Bytes query{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t size = std::min(name.find('.', at), name.size()) - at;
    query.push_back(static_cast<std::uint8_t>(size));
    query.insert(query.end(), name.begin() + static_cast<std::ptrdiff_t>(at),
                 name.begin() + static_cast<std::ptrdiff_t>(at + size));
    at += size + 1;
  }
  query.push_back(0);
  dns::append_u16(query, static_cast<std::uint16_t>(type));
  dns::append_u16(query, 1);
  return query;
}

struct Told {
  int rcode = -1;  // -1: no reply
  int answers = 0;
  std::string last;  // the last four bytes, as an address
};

sockaddr_in sockaddr_of(const SocketAddr& address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = address.address.v4_be();
  in.sin_port = htons(address.port);
  return in;
}

Told read(const UniqueFd& fd) {
  dns::Bytes reply(1500);
  const ssize_t size = ::recv(fd.get(), reply.data(), reply.size(), 0);
  if (size < 12) return {};
  const auto end = static_cast<std::size_t>(size);
  Told told{reply[3] & 15, reply[6] << 8 | reply[7], ""};
  told.last = IpAddr::v4(dns::read_u32(reply, end - 4)).format();
  return told;
}

class ResolversTest : public ::testing::Test {
 protected:
  const std::string path = "/run/heddle-test-resolvers-" + std::to_string(::getpid());

  void SetUp() override {
    ASSERT_TRUE(netns::create(path).has_value());
    sandbox = *netns::open(path);
    build.network("blue", "bridge", "172.20.0.0/24");
    build.workload("c1").sandbox = path;
    build.endpoint("c1", "blue", "172.20.0.5");
    host.address = kHostAddress;
  }
  void TearDown() override {
    end();
    sandbox.reset();
    EXPECT_TRUE(netns::remove(path).has_value());
  }
  void begin() {
    visitor = *netns::Visitor::open();
    server = *dns::DnsServer::start({.upstreams = {}, .upstream_attempt = std::chrono::seconds(2)});
    auto all = *keeper.take_all();
    resolvers = std::make_unique<Resolvers>(Resolvers::Parts{*server, keeper, *visitor}, all, host);
    resolvers->update(std::make_shared<const model::View>(build.view()), {});
  }
  void end() {
    resolvers.reset();
    server.reset();
    visitor.reset();
  }
  // A socket in the sandbox (or here), connected to `to`.
  UniqueFd ask(const SocketAddr& to, const std::string& name, bool inside,
               dns::Type type = dns::Type::a) {
    UniqueFd fd;
    const auto open = [&]() -> Result<> {
      fd.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      return {};
    };
    EXPECT_TRUE((inside ? netns::run_in(sandbox.get(), open) : open()).has_value());
    const timeval patience{20, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in address = sockaddr_of(to);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const dns::Bytes query = query_of(name, type);
    EXPECT_EQ(::send(fd.get(), query.data(), query.size(), 0), static_cast<ssize_t>(query.size()));
    return fd;
  }
  Told workload(const std::string& name, dns::Type type = dns::Type::a) {
    return read(ask({IpAddr::v4(0x7f00000b), 53}, name, true, type));
  }
  Told on_host(const std::string& name, dns::Type type = dns::Type::a) {
    return read(ask(kHostAddress, name, false, type));
  }

  UniqueFd sandbox;
  tests::ViewBuilder build;
  testing_support::HeldUpKeeper keeper;
  HostDns host;
  std::unique_ptr<dns::DnsServer> server;
  std::optional<netns::Visitor> visitor;
  std::unique_ptr<Resolvers> resolvers;
};

TEST_F(ResolversTest, AWorkloadAndTheHostAreAnsweredAtTheirAddresses) {
  begin();
  EXPECT_EQ(workload("c1").last, "172.20.0.5");
  EXPECT_EQ(workload("c1", dns::Type::aaaa).rcode, 0);
  EXPECT_EQ(workload("c1", dns::Type::aaaa).answers, 0);
  EXPECT_EQ(on_host("c1.blue.heddle.internal").last, "172.20.0.5");
  EXPECT_EQ(on_host("5.0.20.172.in-addr.arpa", dns::Type::ptr).answers, 1);
  EXPECT_EQ(on_host("nope.blue.heddle.internal").rcode, 3);
  EXPECT_EQ(on_host("www.example.com").rcode, 5);
  EXPECT_EQ(resolvers->host_state(), "at 127.0.0.12:53");
}

TEST_F(ResolversTest, TheHostSeesNetworksThatComeAndGo) {
  begin();
  EXPECT_EQ(on_host("c2.red.heddle.internal").rcode, 3);
  build.network("red", "bridge", "172.21.0.0/24");
  build.workload("c2").sandbox = "/nowhere";
  build.endpoint("c2", "red", "172.21.0.9");
  resolvers->update(std::make_shared<const model::View>(build.view()), model::Index(build.view()),
                    {"/nowhere"}, {{"c2"}, {"red"}});
  EXPECT_EQ(on_host("c2.red.heddle.internal").last, "172.21.0.9");
  build.view().endpoints.erase("c2-red");
  build.view().networks.erase("red");
  resolvers->update(std::make_shared<const model::View>(build.view()), model::Index(build.view()),
                    {"/nowhere"}, {{"c2"}, {"red"}});
  EXPECT_EQ(on_host("c2.red.heddle.internal").rcode, 3);
}

TEST_F(ResolversTest, WhatIsAskedWhileNobodyServesIsAnsweredByTheNext) {
  begin();
  EXPECT_EQ(on_host("c1.blue.heddle.internal").answers, 1);
  end();
  const UniqueFd inside = ask({IpAddr::v4(0x7f00000b), 53}, "c1", true);
  const UniqueFd outside = ask(kHostAddress, "c1.blue.heddle.internal", false);
  begin();
  EXPECT_EQ(read(inside).last, "172.20.0.5");
  EXPECT_EQ(read(outside).last, "172.20.0.5");
}

TEST_F(ResolversTest, AnotherAddressOrNoneTakesTheSocketsOfTheFirstAway) {
  begin();
  resolvers->finish();
  EXPECT_EQ(keeper.names().size(), 4u);
  end();
  host.address = SocketAddr{IpAddr::v4(0x7f00000d), 53};
  begin();
  EXPECT_EQ(read(ask(*host.address, "c1.blue.heddle.internal", false)).answers, 1);
  resolvers->finish();
  EXPECT_EQ(keeper.names().size(), 4u);
  end();
  host.address.reset();
  begin();
  EXPECT_THAT(resolvers->host_state(), StartsWith("off;"));
  resolvers->finish();
  EXPECT_EQ(keeper.names().size(), 2u);
}

TEST_F(ResolversTest, AnAddressThatIsTakenIsSaidAndUsedOnceItIsFree) {
  UniqueFd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = sockaddr_of(kHostAddress);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  begin();
  EXPECT_THAT(resolvers->host_state(), HasSubstr("127.0.0.12"));
  EXPECT_THAT(resolvers->host_state(), StartsWith("off: "));
  EXPECT_EQ(workload("c1").answers, 1) << "workloads have theirs all the same";
  other.reset();
  resolvers->look_at_host();
  EXPECT_EQ(resolvers->host_state(), "at 127.0.0.12:53");
  EXPECT_EQ(on_host("c1.blue.heddle.internal").answers, 1);
}

// Answers one query over IPv6 with an address.
TEST_F(ResolversTest, OtherNamesGoToWhateverServersTheHostHasNowIpv6Too) {
  const UniqueFd upstream(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  ASSERT_EQ(::bind(upstream.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(upstream.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<SocketAddr> servers;
  host.upstreams = [&servers] { return servers; };
  begin();
  EXPECT_EQ(workload("www.example.com").rcode, 2) << "there is none";
  servers = {{tests::ip("::1"), ntohs(address.sin6_port)}};
  resolvers->look_at_host();
  std::thread answering([&] {
    dns::Bytes query(1500);
    sockaddr_in6 peer{};
    socklen_t peer_size = sizeof peer;
    const ssize_t got = ::recvfrom(upstream.get(), query.data(), query.size(), 0,
                                   reinterpret_cast<sockaddr*>(&peer), &peer_size);
    query.resize(static_cast<std::size_t>(got));
    dns::Reply reply;
    reply.answers.push_back({"", 60, tests::ip("192.0.2.80")});
    const dns::Bytes bytes =
        dns::encode(query, *dns::parse_query(query).query, reply, dns::kMaxMessage);
    ::sendto(upstream.get(), bytes.data(), bytes.size(), 0,
             reinterpret_cast<const sockaddr*>(&peer), peer_size);
  });
  EXPECT_EQ(workload("www.example.com").last, "192.0.2.80");
  answering.join();
}

}  // namespace
}  // namespace heddle::control
