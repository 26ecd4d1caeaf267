#include "netd/dns/resolv_conf.h"

#include <gtest/gtest.h>

namespace heddle::dns {
namespace {

TEST(ParseNameServers, ReadsThemInOrderAndSkipsTheRest) {
  const auto servers = parse_name_servers(
      "# comment\nsearch example.com\n  nameserver\t192.0.2.53 \nnameserver 2001:db8::53\r\n"
      "nameserver 192.0.2.53\nnameserver\nnameserver fe80::1%eth0\nnameservers 192.0.2.1\n"
      "options ndots:5\nnameserver 192.0.2.54");
  ASSERT_EQ(servers.size(), 3u);
  EXPECT_EQ(servers[0].format(), "192.0.2.53:53");
  EXPECT_EQ(servers[1].format(), "[2001:db8::53]:53");
  EXPECT_EQ(servers[2].format(), "192.0.2.54:53");
  EXPECT_TRUE(parse_name_servers("").empty());
}

}  // namespace
}  // namespace heddle::dns
