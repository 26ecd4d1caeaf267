// The only tests of this folder that ask the real host: sockets on loopback, no privileges.
#include "netd/control/host_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/unique_fd.h"

namespace heddle::control {
namespace {

using model::PublishedProtocol;
using testing::HasSubstr;

const IpAddr kLoopback = IpAddr::v4(0x7f000001);
const IpAddr kAny;

// A program of the host with a port of its own.
struct Program {
  explicit Program(int type) : socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(type == SOCK_STREAM ? ::listen(socket.get(), 1) : 0, 0);
    EXPECT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
    port = ntohs(name.sin_port);
  }
  UniqueFd socket;
  std::uint16_t port = 0;
};

TEST(HostPorts, WhatAProgramHasIsInUseAtItsAddressAndAtAll) {
  const Program web(SOCK_STREAM);
  const Program names(SOCK_DGRAM);
  for (const IpAddr& address : {kLoopback, kAny}) {
    const auto tcp = check_port_free(address, web.port, PublishedProtocol::tcp);
    ASSERT_FALSE(tcp.has_value());
    EXPECT_EQ(tcp.error().code(), Errc::in_use);
    EXPECT_THAT(tcp.error().text(), HasSubstr("ss -tlnp 'sport = :" + std::to_string(web.port)));
    EXPECT_FALSE(check_port_free(address, names.port, PublishedProtocol::udp).has_value());
  }
}

TEST(HostPorts, APortThatWasLeftIsFree) {
  std::uint16_t port = 0;
  {
    const Program web(SOCK_STREAM);
    port = web.port;
  }
  EXPECT_TRUE(check_port_free(kLoopback, port, PublishedProtocol::tcp));
}

TEST(HostPorts, OnlyAddressesOfThisHostArePublishedOn) {
  EXPECT_TRUE(check_host_address(kLoopback));
  EXPECT_TRUE(check_host_address(*IpAddr::parse("127.0.0.2")));
  EXPECT_TRUE(check_host_address(kAny));
  const auto foreign = check_host_address(*IpAddr::parse("198.51.100.77"));
  ASSERT_FALSE(foreign.has_value());
  EXPECT_THAT(foreign.error().text(), HasSubstr("127.0.0.1")) << "what it has instead";
  EXPECT_FALSE(check_host_address(*IpAddr::parse("224.0.0.1")).has_value());
  EXPECT_FALSE(check_host_address(*IpAddr::parse("fe80::1")).has_value());
}

TEST(HostPorts, AChosenOneIsFreeAndNotOurs) {
  const auto none = [](std::uint16_t) { return false; };
  const auto first = choose_ports({kAny}, 1, PublishedProtocol::tcp, none);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_NE(*first, 0);
  const auto row = choose_ports({kAny}, 3, PublishedProtocol::udp, none);
  ASSERT_TRUE(row) << row.error().text();
  int asked = 0;
  const auto third = choose_ports({kLoopback}, 1, PublishedProtocol::tcp,
                                  [&](std::uint16_t) { return ++asked < 3; });
  EXPECT_TRUE(third);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(choose_ports({kAny}, 1, PublishedProtocol::tcp, [](std::uint16_t) { return true; })
                .error()
                .code(),
            Errc::exhausted);
}

}  // namespace
}  // namespace heddle::control
