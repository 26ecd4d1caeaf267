// What networks may forward, and that the host's own firewall has the last word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/nft/forward_policy.h"
#include "dataplane/nft/ruleset.h"
#include "tests/netns/firewall/world.h"

namespace heddle::dataplane {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Forwarding : public World {
 protected:
  // hbr0's rules changed; hbr1's as they are.
  void set_first(bool inbound, bool outbound) {
    auto all = rules();
    NetworkRules first = *all.begin();
    all.erase(all.begin());
    first.inbound = inbound;
    first.outbound = outbound;
    all.insert(first);
    set_rules(all);
  }
  std::string in() { return reach(outside_, "10.77.0.5:80", a_, "10.77.0.5:80"); }
  std::string in6() { return reach(outside_, "[fd00:77::5]:80", a_, "[fd00:77::5]:80"); }
  std::string out() { return reach(a_, "192.0.2.2:80", outside_, "192.0.2.2:80"); }
  std::string out6() { return reach(a_, "[2001:db8::2]:80", outside_, "[2001:db8::2]:80"); }
  std::string published() { return reach(outside_, "192.0.2.1:8080", a_, "10.77.0.5:80"); }
};

TEST_F(Forwarding, EndpointsReachOutMasqueradedAndOthersDoNotReachIn) {
  EXPECT_EQ(out(), "192.0.2.1");
  EXPECT_EQ(out6(), "2001:db8::1");
  EXPECT_EQ(in(), "");
  EXPECT_EQ(in6(), "");
}

TEST_F(Forwarding, ARoutedNetworkIsReachedFromOutside) {
  set_first(true, true);
  EXPECT_EQ(in(), "192.0.2.2");
  EXPECT_EQ(in6(), "2001:db8::2");
}

TEST_F(Forwarding, AnInternalNetworkForwardsNothingAndTheHostReachesIt) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  EXPECT_EQ(published(), "192.0.2.2");
  for (const bool inbound : {false, true}) {
    set_first(inbound, false);
    EXPECT_EQ(out(), "");
    EXPECT_EQ(in(), "");
    EXPECT_EQ(out6(), "");
    EXPECT_EQ(published(), "");
    EXPECT_EQ(reach("", "10.77.0.5:80", a_, "10.77.0.5:80"), "10.77.0.1");
    EXPECT_EQ(reach("", "192.0.2.1:8080", a_, "10.77.0.5:80"), "192.0.2.1");
  }
}

TEST_F(Forwarding, NetworksOfOursAreApartEvenWhenRouted) {
  set_first(true, true);
  EXPECT_EQ(reach(c_, "10.77.0.5:80", a_, "10.77.0.5:80"), "");
  EXPECT_EQ(reach(c_, "[fd00:77::5]:80", a_, "[fd00:77::5]:80"), "");
  EXPECT_EQ(reach(a_, "10.78.0.7:80", c_, "10.78.0.7:80"), "");
  // A source of the other network does not help: it is the device that counts.
  host::run_in(c_, "ip addr add 10.77.0.50/32 dev eth0");
  host::run_in(c_, "ip route add 10.77.0.5 via 10.78.0.1 src 10.77.0.50");
  EXPECT_EQ(reach(c_, "10.77.0.5:80", a_, "10.77.0.5:80"), "");
}

TEST_F(Forwarding, ANetworksOwnTrafficIsLeftAloneWhateverBridgesHandToTheFirewall) {
  for (const char* on : {"1", "0"}) {
    host::run(
        std::string("for f in iptables ip6tables; do test ! -e /proc/sys/net/bridge || echo ") +
        on + " > /proc/sys/net/bridge/bridge-nf-call-$f; done");
    for (const auto& [inbound, outbound] : {std::pair(false, true), std::pair(false, false)}) {
      set_first(inbound, outbound);
      EXPECT_EQ(reach(b_, "10.77.0.5:80", a_, "10.77.0.5:80"), "10.77.0.6") << on;
      EXPECT_EQ(reach(b_, "[fd00:77::5]:80", a_, "[fd00:77::5]:80"), "fd00:77::6") << on;
    }
  }
}

// --- the host's own firewall ---

TEST_F(Forwarding, WhatTheHostForbidsInItsForwardChainStaysForbidden) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  EXPECT_EQ(published(), "192.0.2.2");
  host::run(
      "nft 'add table ip mine; add chain ip mine f { type filter hook forward priority 0; }; "
      "add rule ip mine f iifname out0 tcp dport 80 drop'");
  EXPECT_EQ(published(), "") << "by the endpoint's port: the destination is translated by then";
  host::run(
      "nft 'flush chain ip mine f; "
      "add rule ip mine f meta l4proto tcp ct original proto-dst 8080 drop'");
  EXPECT_EQ(published(), "") << "by the published port, through connection tracking";
  host::run(
      "nft 'flush chain ip mine f; add chain ip mine i { type filter hook input priority 0; "
      "policy drop; }'");
  EXPECT_EQ(published(), "192.0.2.2") << "input sees only what ends at the host";
}

TEST_F(Forwarding, AChainOfOthersThatForwardsNothingByDefaultIsNamed) {
  EXPECT_THAT(nft::forward_drops("heddle_test").value(), IsEmpty());
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  host::run(
      "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward "
      "priority 0; policy drop; }; add chain ip filter OTHER { type filter hook input "
      "priority 0; policy drop; }'");
  EXPECT_EQ(published(), "");
  EXPECT_EQ(out(), "");
  EXPECT_THAT(nft::forward_drops("heddle_test").value(), ElementsAre("ip filter FORWARD"));
  host::run("nft add rule ip filter FORWARD iifname hbr0 accept");
  host::run("nft add rule ip filter FORWARD ct state established accept");
  EXPECT_EQ(out(), "192.0.2.1") << "as docs/ports.md says";
}

// --- others who change nftables ---

TEST_F(Forwarding, AFlushOfAllRulesIsSeenAndMendedAndOthersRulesDoNotMatter) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  host::run("nft flush ruleset");
  EXPECT_EQ(kernel_->observe(wanted_)->published.size(), 0U);
  EXPECT_EQ(kernel_->observe(wanted_)->rules.size(), 0U);
  renew();
  EXPECT_EQ(published(), "192.0.2.2");
  EXPECT_EQ(in(), "");
  host::run("nft add table inet firewalld");
  const HostState seen = kernel_->observe(wanted_).value();
  EXPECT_EQ(seen.rules, wanted_.rules);
  EXPECT_EQ(seen.published, wanted_.published);
  EXPECT_EQ(seen.masquerades, wanted_.masquerades);
}

TEST_F(Forwarding, EveryChangeByHandIsNamedAndMended) {
  publish(Protocol::tcp, "0.0.0.0:8080", "10.77.0.5:80");
  for (const auto& [command, remark] : std::initializer_list<std::pair<std::string, std::string>>{
           {"flush chain inet heddle_test prerouting", "chain prerouting lacks a rule"},
           {"flush chain inet heddle_test prerouting; delete chain inet heddle_test prerouting",
            "chain prerouting is missing"},
           {"insert rule inet heddle_test forward accept", "chain forward has a foreign rule"},
           {"add chain inet heddle_test mine", "foreign chain mine"},
           {"add set inet heddle_test mine { type ifname; }", "foreign set mine"},
           {"flush set inet heddle_test closed4", "set closed4 lacks 10.77.0.0/24"},
           {"add element inet heddle_test internal4 { 10.9.0.0/16 }",
            "set internal4: foreign element 10.9.0.0/16"},
           {"add table inet heddle_test { flags dormant; }",
            "the table is dormant or owned by another program"}}) {
    host::run("nft '" + command + "'");
    const HostState seen = kernel_->observe(wanted_).value();
    EXPECT_TRUE(seen.rules.contains(nft::altered(remark))) << command;
    EXPECT_EQ(seen.published, wanted_.published) << command;
    renew();
    EXPECT_EQ(kernel_->observe(wanted_)->rules, wanted_.rules) << command;
    EXPECT_EQ(kernel_->observe(wanted_)->published, wanted_.published) << command;
  }
  EXPECT_EQ(published(), "192.0.2.2");
}

}  // namespace
}  // namespace heddle::dataplane
