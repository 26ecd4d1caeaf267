// A bridge network as the kernel carries it: sandboxes reach each other, and through masquerading
// what lies outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "dataplane/linux/kernel.h"
#include "tests/support/bridge_endpoint.h"
#include "tests/support/host/private_host.h"

namespace heddle::dataplane {
namespace {

using Clock = std::chrono::steady_clock;

class BridgePath : public ::testing::Test {
 protected:
  BridgePath() {
    auto opened = LinuxKernel::open({.link_group = 4712, .nft_table = "heddle_test", .cgroup = ""},
                                    listeners_, fail(Errc::unsupported, "this kernel lacks BPF"));
    kernel_ = std::move(opened).value();
    apply(Ensure<Bridge>{{.name = "hbr0",
                          .mac = {{2, 0, 0, 0, 0, 1}},
                          .mtu = 1500,
                          .addresses = {IfAddr::parse("10.77.0.1/20").value()}}});
  }
  ~BridgePath() override {
    EXPECT_TRUE(kernel_->remove_everything());
    EXPECT_EQ(host::run("ip -br link | grep -vc '^lo' || true; nft list tables"), leftover_);
  }

  void apply(const Operation& operation) {
    const auto applied = kernel_->apply(operation);
    ASSERT_TRUE(applied) << applied.error().text();
  }

  static Attachment endpoint(const SandboxPath& sandbox, int number) {
    Attachment attachment;
    attachment.host_name = "hv" + std::to_string(number);
    attachment.sandbox = sandbox;
    attachment.name = "eth0";
    const auto high = static_cast<std::uint8_t>(number >> 8);
    const auto low = static_cast<std::uint8_t>(number);
    attachment.host_mac = {{2, 1, 0, 0, high, low}};
    attachment.mac = {{2, 2, 0, 0, high, low}};
    attachment.addresses = {{IpAddr::v4(0x0a4d0000U + static_cast<std::uint32_t>(number)), 20}};
    attachment.routes = {{Prefix(), IpAddr::v4(0x0a4d0001)}};
    attachment.bridge = "hbr0";
    return attachment;
  }

  host::PrivateHost host_;
  NoListeners listeners_;
  std::unique_ptr<LinuxKernel> kernel_;
  std::string leftover_ = "0";
};

TEST_F(BridgePath, SandboxesReachEachOtherAndTheGateway) {
  const auto c1 = host_.add_sandbox("c1");
  const auto c2 = host_.add_sandbox("c2");
  apply(Ensure<Attachment>{endpoint(c1, 5)});
  apply(Ensure<Attachment>{endpoint(c2, 6)});
  host::run_in(c1, "ping -c 3 -i 0.05 -W 2 10.77.0.6");
  host::run_in(c1, "ping -c 3 -i 0.05 -W 2 10.77.0.1");
  host::run_in(c1, "ping -c 1 -s 1472 -M do -W 2 10.77.0.6");
  EXPECT_EQ(host::exchange_tcp({.client = c1,
                                .server = c2,
                                .address = SocketAddr::parse("10.77.0.6:80").value(),
                                .bytes = 10'000'000}),
            "10.77.0.5");
}

TEST_F(BridgePath, WhatLeavesTheSubnetIsMasqueradedAndWhatStaysIsNot) {
  const auto c1 = host_.add_sandbox("c1");
  const auto outside = host_.add_sandbox("outside");
  apply(Ensure<Attachment>{endpoint(c1, 5)});
  apply(SetSysctl{"net/ipv4/ip_forward", "1"});
  apply(SetRules{{{Prefix::parse("10.77.0.0/20").value(), "hbr0"}}});
  host::run("ip link add out0 type veth peer name eth0 netns " + outside +
            " && ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up && "
            "nsenter --net=" +
            outside +
            " sh -c 'ip addr add 192.0.2.2/24 dev eth0; "
            "ip link set eth0 up'");
  leftover_ = "1";  // out0
  // The outside has no route back to 10.77.0.0/20: an answer proves the new source.
  host::run_in(c1, "ping -c 3 -i 0.05 -W 2 192.0.2.2");
  const std::string counters = host::run("nft list table inet heddle_test");
  EXPECT_THAT(counters, ::testing::ContainsRegex("packets [1-9]"));
  host::run_in(c1, "ping -c 1 -W 2 10.77.0.1");
  EXPECT_EQ(counters, host::run("nft list table inet heddle_test"));

  apply(SetRules{});
  EXPECT_NE(host::status_of("nsenter --net=" + c1 + " ping -c 1 -W 1 192.0.2.2"), 0);
}

TEST_F(BridgePath, NothingOfIpv6IsOnAnIpv4Network) {
  const auto c1 = host_.add_sandbox("c1");
  apply(Ensure<Attachment>{endpoint(c1, 5)});
  EXPECT_EQ(host::run("ip -6 -o addr show dev hv5; ip -6 -o addr show dev hbr0"), "");
  EXPECT_EQ(host::run_in(c1, "ip -6 -o addr show dev eth0"), "");
}

TEST_F(BridgePath, Ipv6AddressesAreUsableAtOnceAndAdvertisementsAreNotHeard) {
  apply(Ensure<Bridge>{{.name = "hbr0",
                        .mac = {{2, 0, 0, 0, 0, 1}},
                        .mtu = 1500,
                        .addresses = {IfAddr::parse("10.77.0.1/20").value(),
                                      IfAddr::parse("fd00:77::1/64").value()}}});
  const auto c1 = host_.add_sandbox("c1");
  Attachment dual = endpoint(c1, 5);
  dual.addresses.push_back(IfAddr::parse("fd00:77::5/64").value());
  dual.routes.push_back({Prefix::parse("::/0").value(), IpAddr::parse("fd00:77::1").value()});
  apply(Ensure<Attachment>{dual});
  host::run_in(c1, "ping -6 -c 1 -W 2 fd00:77::1");
  EXPECT_EQ(host::run_in(c1, "cat /proc/sys/net/ipv6/conf/eth0/accept_ra"), "0");
  HostState wanted;
  wanted.attachments["hv5"] = dual;
  EXPECT_EQ(kernel_->observe(wanted).value().attachments, wanted.attachments);
}

double at(std::vector<double>& sorted, double share) {
  std::ranges::sort(sorted);
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

// Prints only: the machine is not ours alone.
TEST_F(BridgePath, FiguresOfAHundredAttachments) {
  constexpr int kCount = 100;
  std::vector<SandboxPath> sandboxes;
  for (int i = 0; i < kCount; ++i) sandboxes.push_back(host_.add_sandbox("c" + std::to_string(i)));
  HostState wanted;
  std::vector<double> attach_us;
  std::vector<double> detach_us;
  const auto timed = [&](std::vector<double>& into, const Operation& operation) {
    const auto start = Clock::now();
    apply(operation);
    into.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  };
  for (int i = 0; i < kCount; ++i) {
    const Attachment attachment = endpoint(sandboxes[static_cast<std::size_t>(i)], 10 + i);
    wanted.attachments[attachment.host_name] = attachment;
    timed(attach_us, Ensure<Attachment>{attachment});
  }
  const auto start = Clock::now();
  EXPECT_EQ(kernel_->observe(wanted).value().attachments, wanted.attachments);
  const double observe_us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  for (int i = 0; i < 10; ++i) timed(detach_us, RemoveAttachment{"hv" + std::to_string(10 + i)});
  std::printf("attach p50 %.0f us, p99 %.0f us; observe %d: %.0f us; detach p50 %.0f us\n",
              at(attach_us, 0.5), at(attach_us, 0.99), kCount, observe_us, at(detach_us, 0.5));
}

}  // namespace
}  // namespace heddle::dataplane
