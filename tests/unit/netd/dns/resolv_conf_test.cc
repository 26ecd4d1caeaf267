#include "netd/dns/resolv_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/views.h"

namespace heddle::dns {
namespace {

using ::testing::ElementsAre;

TEST(ParseResolvConf, ReadsServersInOrderAndSkipsTheRest) {
  const auto conf = parse_resolv_conf(
      "# comment\nsearch example.com\n  nameserver\t192.0.2.53 \nnameserver 2001:db8::53\r\n"
      "nameserver 192.0.2.53\nnameserver\nnameserver fe80::1%eth0\nnameservers 192.0.2.1\n"
      "options ndots:5\nnameserver 192.0.2.54");
  ASSERT_EQ(conf.servers.size(), 3u);
  EXPECT_EQ(conf.servers[0].format(), "192.0.2.53:53");
  EXPECT_EQ(conf.servers[1].format(), "[2001:db8::53]:53");
  EXPECT_EQ(conf.servers[2].format(), "192.0.2.54:53");
  EXPECT_TRUE(parse_resolv_conf("").servers.empty());
}

TEST(ParseResolvConf, TheLastSearchHoldsAndOptionsAddUp) {
  const auto conf = parse_resolv_conf(
      "domain old.example\nsearch a.example  b.example\noptions ndots:2 rotate\noptions edns0\n");
  EXPECT_THAT(conf.search, ElementsAre("a.example", "b.example"));
  EXPECT_THAT(conf.options, ElementsAre("ndots:2", "rotate", "edns0"));
}

TEST(ResolvConfFor, KeepsWhatTheHostHas) {
  const auto host =
      parse_resolv_conf("nameserver 192.0.2.53\nsearch corp.example\noptions edns0\n");
  EXPECT_EQ(resolv_conf_for({}, host),
            "nameserver 127.0.0.11\nsearch heddle.internal corp.example\n"
            "options edns0 ndots:0 timeout:2 attempts:2\n");
  EXPECT_EQ(resolv_conf_for({}, {}),
            "nameserver 127.0.0.11\nsearch heddle.internal\n"
            "options ndots:0 timeout:2 attempts:2\n");
}

TEST(ResolvConfFor, TheWorkloadsOwnReplacesTheHosts) {
  const auto host = parse_resolv_conf("search corp.example\noptions edns0 ndots:3\n");
  EXPECT_EQ(resolv_conf_for({{}, {"a.example", "b.example"}, {"ndots:2"}}, host),
            "nameserver 127.0.0.11\nsearch heddle.internal a.example b.example\n"
            "options ndots:2 timeout:2 attempts:2\n");
  EXPECT_EQ(resolv_conf_for({{}, {"."}, {}}, host),
            "nameserver 127.0.0.11\noptions edns0 ndots:3 timeout:2 attempts:2\n");
}

}  // namespace
}  // namespace heddle::dns
