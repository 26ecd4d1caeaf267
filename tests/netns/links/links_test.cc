// Endpoints on parents, isolation, rates and IPv6 as traffic meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "dataplane/linux/kernel.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kGroup = 4717;

class Links : public ::testing::Test {
 protected:
  Links() { open(); }
  ~Links() override { EXPECT_TRUE(kernel_->remove_everything()); }

  void open() {
    kernel_.reset();
    kernel_ = LinuxKernel::open({.link_group = kGroup, .nft_table = "heddle_test", .cgroup = ""},
                                listeners_, fail(Errc::unsupported, "no BPF here"))
                  .value();
  }
  void apply(const Operation& operation) {
    const auto applied = kernel_->apply(operation);
    ASSERT_TRUE(applied) << applied.error().text();
  }
  Errc failed(const Operation& operation) {
    const auto applied = kernel_->apply(operation);
    EXPECT_FALSE(applied);
    if (applied) return Errc::internal;
    text_ = applied.error().text();
    return applied.error().code();
  }
  void add_bridge() {
    apply(Ensure<Bridge>{{.name = "hbr0",
                          .mac = {{2, 0, 0, 0, 0, 1}},
                          .addresses = {IfAddr::parse("10.77.0.1/24").value(),
                                        IfAddr::parse("fd00:77::1/64").value()}}});
  }
  // A parent whose other end, 10.77.0.1, is the network outside.
  void add_parent() {
    outside_ = host_.add_sandbox("outside");
    host::run("ip link add up0 type veth peer name lan0 netns " + outside_ +
              " && ip link set up0 up");
    host::run_in(outside_, "ip addr add 10.77.0.1/24 dev lan0; ip link set lan0 up");
  }

  Attachment parented(const SandboxPath& sandbox, int number, ParentMode mode) {
    Attachment attachment = bridge_endpoint(sandbox, number);
    attachment.bridge.clear();
    attachment.host_mac = {};
    attachment.kind = mode >= ParentMode::l2 ? LinkKind::ipvlan : LinkKind::macvlan;
    attachment.mode = mode;
    attachment.parent = "up0";
    return attachment;
  }
  static bool reaches(const SandboxPath& from, const std::string& address) {
    return host::status_of("nsenter --net=" + from + " ping -c 1 -W 1 " + address) == 0;
  }
  std::map<std::string, Attachment> observe(const std::vector<Attachment>& wanted) {
    HostState state;
    for (const Attachment& one : wanted) state.attachments[one.host_name] = one;
    return kernel_->observe(state).value().attachments;
  }

  host::PrivateHost host_;
  NoListeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
  SandboxPath outside_;
  std::string text_;
};

TEST_F(Links, MacvlansReachTheOutsideAndEachOtherAsTheirModeSays) {
  add_parent();
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  apply(Ensure<Attachment>{parented(c1, 5, ParentMode::bridge)});
  apply(Ensure<Attachment>{parented(c2, 6, ParentMode::bridge)});
  EXPECT_TRUE(reaches(c1, "10.77.0.1"));
  EXPECT_TRUE(reaches(c1, "10.77.0.6"));
  apply(Ensure<Attachment>{parented(c1, 5, ParentMode::separate)});
  EXPECT_TRUE(reaches(c1, "10.77.0.1"));
  EXPECT_FALSE(reaches(c1, "10.77.0.6"));
  apply(RemoveAttachment{"hv5"});
  EXPECT_EQ(host::run_in(c1, "ip -o link | wc -l"), "1");
}

TEST_F(Links, PassthruTakesAParentForItself) {
  add_parent();
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  const Attachment whole = parented(c1, 5, ParentMode::passthru);
  apply(Ensure<Attachment>{whole});
  EXPECT_TRUE(reaches(c1, "10.77.0.1"));
  EXPECT_EQ(observe({whole}).at("hv5"), whole);
  EXPECT_EQ(failed(Ensure<Attachment>{parented(c2, 6, ParentMode::bridge)}), Errc::in_use);
  EXPECT_THAT(text_, ::testing::HasSubstr("up0"));
  EXPECT_EQ(host::run_in(c2, "ip -o link | wc -l"), "1");
}

TEST_F(Links, APortOfABridgeIsNoParentAndAnMtuFitsIt) {
  add_parent();
  const auto c1 = host_.add_sandbox("c1");
  Attachment large = parented(c1, 5, ParentMode::bridge);
  large.mtu = 1501;
  EXPECT_EQ(failed(Ensure<Attachment>{large}), Errc::invalid);
  EXPECT_THAT(text_, ::testing::HasSubstr("1500 of up0"));
  add_bridge();
  host::run("ip link set up0 master hbr0");
  EXPECT_EQ(failed(Ensure<Attachment>{parented(c1, 5, ParentMode::bridge)}), Errc::in_use);
  EXPECT_THAT(text_, ::testing::HasSubstr("up0 is a port"));
  EXPECT_EQ(host::run_in(c1, "ip -o link | wc -l"), "1");
}

TEST_F(Links, AMacThatTheParentHasAlreadyIsNamed) {
  add_parent();
  apply(Ensure<Attachment>{parented(host_.add_sandbox("c1"), 5, ParentMode::bridge)});
  Attachment twin = parented(host_.add_sandbox("c2"), 6, ParentMode::bridge);
  twin.mac = {{2, 2, 0, 0, 0, 5}};
  EXPECT_EQ(failed(Ensure<Attachment>{twin}), Errc::exists);
  EXPECT_THAT(text_, ::testing::HasSubstr("02:02:00:00:00:05 is in use on up0"));
  EXPECT_EQ(host::run_in(twin.sandbox, "ip -o link | wc -l"), "1");
}

TEST_F(Links, IpvlansWorkOrAreNamedAsUnsupported) {
  add_parent();
  const auto c1 = host_.add_sandbox("c1");
  const Attachment first = parented(c1, 5, ParentMode::l2);
  if (const auto made = kernel_->apply(Ensure<Attachment>{first}); !made) {
    EXPECT_EQ(made.error().code(), Errc::unsupported) << made.error().text();
    EXPECT_THAT(made.error().text(), ::testing::HasSubstr("CONFIG_IPVLAN"));
    EXPECT_EQ(host::run_in(c1, "ip -o link | wc -l"), "1");
    return;
  }
  const auto c2 = host_.add_sandbox("c2");
  const Attachment second = parented(c2, 6, ParentMode::l2);
  apply(Ensure<Attachment>{second});
  EXPECT_EQ(observe({first, second}).size(), 2U);
  EXPECT_EQ(observe({first, second}).at("hv6"), second);
  EXPECT_TRUE(reaches(c1, "10.77.0.1"));
  EXPECT_TRUE(reaches(c1, "10.77.0.6"));
  const auto c3 = host_.add_sandbox("c3");
  EXPECT_EQ(failed(Ensure<Attachment>{parented(c3, 7, ParentMode::bridge)}), Errc::in_use);
}

TEST_F(Links, WhatAProcessThatDiedLeftInASandboxIsFoundAndReplaced) {
  add_parent();
  const auto c1 = host_.add_sandbox("c1");
  const Attachment wanted = parented(c1, 5, ParentMode::bridge);
  apply(Ensure<Attachment>{wanted});
  open();
  EXPECT_TRUE(observe({}).contains("hv5"));
  open();
  apply(RemoveAttachment{"hv5"});
  EXPECT_EQ(observe({}), (std::map<std::string, Attachment>()));

  // It died between making and naming.
  host::run("ip link add link up0 name hv5 group " + std::to_string(kGroup) + " netns " + c1 +
            " type macvlan mode bridge");
  host::run_in(c1, "true");
  open();
  EXPECT_NE(observe({wanted}).at("hv5"), wanted);
  apply(Ensure<Attachment>{wanted});
  EXPECT_EQ(observe({wanted}).at("hv5"), wanted);
  EXPECT_EQ(host::run_in(c1, "ip -o link | wc -l"), "2");
}

TEST_F(Links, IsolatedPortsReachTheGatewayAndNotEachOther) {
  add_bridge();
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  const auto c3 = host_.add_sandbox("c3");
  Attachment first = bridge_endpoint(c1, 5);
  Attachment second = bridge_endpoint(c2, 6);
  first.isolated = second.isolated = true;
  apply(Ensure<Attachment>{first});
  apply(Ensure<Attachment>{second});
  apply(Ensure<Attachment>{bridge_endpoint(c3, 7)});
  EXPECT_TRUE(reaches(c1, "10.77.0.1"));
  EXPECT_TRUE(reaches(c1, "10.77.0.7"));
  EXPECT_FALSE(reaches(c1, "10.77.0.6"));
}

TEST_F(Links, Ipv6AloneReachesNeighboursAtOnceAndTheGateway) {
  add_bridge();
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  for (const auto& [sandbox, number] : {std::pair(c1, 5), std::pair(c2, 6)}) {
    Attachment alone = bridge_endpoint(sandbox, number);
    alone.addresses = {IfAddr::parse("fd00:77::" + std::to_string(number) + "/64").value()};
    alone.routes = {{Prefix::parse("::/0").value(), IpAddr::parse("fd00:77::1").value()}};
    apply(Ensure<Attachment>{alone});
    EXPECT_EQ(host::run_in(sandbox, "ip -6 addr show tentative"), "");
  }
  EXPECT_TRUE(reaches(c1, "fd00:77::6"));
  EXPECT_TRUE(reaches(c1, "fd00:77::1"));
  EXPECT_EQ(host::run_in(c1, "cat /proc/sys/net/ipv6/conf/eth0/accept_ra"), "0");
}

TEST_F(Links, SettingsThatTheOwnerGivesGoBeforeOurs) {
  add_bridge();
  Attachment tuned = bridge_endpoint(host_.add_sandbox("c1"), 5);
  tuned.sysctls = {{"net/ipv6/conf/eth0/disable_ipv6", "0"}};
  for (int twice = 0; twice < 2; ++twice) {
    apply(Ensure<Attachment>{tuned});
    EXPECT_EQ(observe({tuned}).at("hv5"), tuned);
  }
  tuned.sysctls = {{"net/ipv4/conf/eth0/no_such_setting", "1"}};
  EXPECT_EQ(failed(Ensure<Attachment>{tuned}), Errc::not_found);
  EXPECT_THAT(text_, ::testing::HasSubstr("no_such_setting"));
}

// Wide bounds: a busy machine delays what refills the bucket. tests/bench/dataplane/rates is exact.
TEST_F(Links, RatesHoldInBothDirections) {
  add_bridge();
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  Attachment slow = bridge_endpoint(c1, 5);
  slow.rate_in = 40'000'000;
  slow.rate_out = 80'000'000;
  apply(Ensure<Attachment>{slow});
  apply(Ensure<Attachment>{bridge_endpoint(c2, 6)});
  const auto seconds = [&](const SandboxPath& from, const SandboxPath& to, const char* address) {
    const auto start = Clock::now();
    host::exchange_tcp({.client = from,
                        .server = to,
                        .address = SocketAddr::parse(address).value(),
                        .bytes = 5'000'000});
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const double in = seconds(c2, c1, "10.77.0.5:80");   // 1 s at its rate
  const double out = seconds(c1, c2, "10.77.0.6:80");  // 0.5 s
  std::printf("5 MB: %.2f s at 40 Mb/s, %.2f s at 80 Mb/s\n", in, out);
  EXPECT_GE(in, 0.97);
  EXPECT_GE(out, 0.48);
  EXPECT_LT(in, 20);
  EXPECT_LT(out, 20);
}

}  // namespace
}  // namespace heddle::dataplane
