#pragma once
#include "tests/support/kernel_conformance.h"

// The part of the suite about links: their options, and interfaces on a parent.
namespace heddle::dataplane {

TEST_P(KernelConformance, MulticastSnoopingIsObservedAndChangedInPlace) {
  Bridge flooding = bridge();
  flooding.multicast_snooping = false;
  ensure(flooding);
  EXPECT_EQ(observe(), wanted_);
  ensure(bridge());
  EXPECT_EQ(observe(), wanted_);
  ensure(flooding);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, IsolationIsObservedAndChangedInPlace) {
  ensure(bridge());
  Attachment alone = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  alone.isolated = true;
  ensure(alone);
  EXPECT_EQ(observe(), wanted_);
  const auto index = by_hand().index_of("hv1");
  alone.isolated = false;
  ensure(alone);
  EXPECT_EQ(observe(), wanted_);
  alone.isolated = true;
  ensure(alone);
  EXPECT_EQ(observe(), wanted_);
  EXPECT_EQ(by_hand().index_of("hv1"), index);

  by_hand().delete_link("hbr0");
  ensure(bridge());
  ensure(alone);
  EXPECT_EQ(observe(), wanted_) << "isolated again on the new bridge";
}

TEST_P(KernelConformance, RatesAreObservedChangedInPlaceAndHealed) {
  ensure(bridge());
  Attachment slow = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  slow.rate_in = 10'000'000;
  slow.rate_out = 1'000'003;  // no whole number of bytes
  ensure(slow);
  EXPECT_EQ(observe(), wanted_);
  const auto index = by_hand().index_of("hv1");
  slow.rate_in = 40'000'000'000;
  slow.rate_out = 0;
  ensure(slow);
  EXPECT_EQ(observe(), wanted_);
  slow.rate_out = 8'000;
  ensure(slow);
  EXPECT_EQ(observe(), wanted_);

  by_hand().lift_rates(slow);
  EXPECT_NE(observe(), wanted_);
  ensure(slow);
  EXPECT_EQ(observe(), wanted_);
  slow.rate_in = slow.rate_out = 0;
  ensure(slow);
  EXPECT_EQ(observe(), wanted_);
  EXPECT_EQ(by_hand().index_of("hv1"), index);
}

TEST_P(KernelConformance, SettingsOfAnInterfaceAreObservedAndHealed) {
  ensure(bridge());
  Attachment tuned = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  const std::string setting = "net/ipv4/conf/eth0/arp_notify";
  tuned.sysctls = {{setting, "1"}, {"net/ipv4/neigh/eth0/gc_stale_time", "90"}};
  ensure(tuned);
  EXPECT_EQ(observe(), wanted_);
  by_hand().set_sysctl(tuned, setting, "0");
  EXPECT_NE(observe(), wanted_);
  ensure(tuned);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, DualStackAndIpv6AloneAreObservedAsTheyWereWanted) {
  Bridge both = bridge();
  both.addresses.push_back(on("fd00:77::1/64"));
  ensure(both);
  Attachment dual = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  dual.addresses.push_back(on("fd00:77::5/64"));
  dual.addresses.push_back(on("fe80::77:5/64"));
  dual.routes.push_back({range("::/0"), ip("fd00:77::1")});
  ensure(dual);
  Attachment alone = bridged("hv2", by_hand().add_sandbox("c2"), 6);
  alone.addresses = {on("fd00:77::6/64")};
  alone.routes = {{range("::/0"), ip("fd00:77::1")}};
  ensure(alone);
  EXPECT_EQ(observe(), wanted_);

  alone.addresses = {on("fd00:77::66/64")};
  ensure(alone);
  dual.addresses = {on("10.77.0.5/24")};
  dual.routes = {{range("0.0.0.0/0"), ip("10.77.0.1")}};
  ensure(dual);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, ALinkTooSmallForIpv6IsAttached) {
  ensure(bridge());
  Attachment small = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  small.mtu = 1000;
  ensure(small);
  wanted_.bridges["hbr0"].mtu = observe().bridges.at("hbr0").mtu;  // follows its ports
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, LimitsOfRatesAndIsolationAreNamed) {
  ensure(bridge());
  Attachment bad = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  bad.rate_in = 7'999;
  EXPECT_EQ(expect_failure(Ensure<Attachment>{bad}), Errc::invalid);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("8000"));
  bad.rate_in = 1'000'000'000'001;
  EXPECT_EQ(expect_failure(Ensure<Attachment>{bad}), Errc::invalid);
  bad.rate_in = 0;
  bad.isolated = true;
  bad.bridge.clear();
  EXPECT_EQ(expect_failure(Ensure<Attachment>{bad}), Errc::invalid);
  EXPECT_EQ(observe(), wanted_);
}

// --- interfaces on a parent ---

TEST_P(KernelConformance, AnInterfaceOnAParentIsObservedAsItWasWanted) {
  by_hand().add_device("out0");
  for (const ParentMode mode : {ParentMode::bridge, ParentMode::vepa, ParentMode::separate}) {
    const int number = static_cast<int>(mode);
    Attachment attachment = parented("hv" + std::to_string(number),
                                     by_hand().add_sandbox("c" + std::to_string(number)), number);
    attachment.mode = mode;
    ensure(attachment);
    EXPECT_EQ(by_hand().index_of(attachment.host_name), 0U) << "there is no host side";
  }
  EXPECT_EQ(observe(), wanted_);
  for (const auto& [name, attachment] : wanted_.attachments) ensure(Attachment(attachment));
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AnInterfaceOnAParentIsChangedMovedAndHealed) {
  by_hand().add_device("out0");
  Attachment attachment = parented("hv1", by_hand().add_sandbox("c1"), 5);
  ensure(attachment);
  attachment.mtu = 1400;
  attachment.mac = mac(55);
  attachment.addresses = {on("10.77.0.55/24")};
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
  attachment.mode = ParentMode::separate;
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
  attachment.name = "lan0";
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
  attachment.sandbox = by_hand().add_sandbox("c2");
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);

  by_hand().delete_address(attachment);
  EXPECT_NE(observe(), wanted_);
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
  by_hand().delete_inside(attachment);
  EXPECT_NE(observe(), wanted_);
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AnUnwantedInterfaceOnAParentShowsAndIsRemoved) {
  by_hand().add_device("out0");
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(parented("hv1", sandbox, 5));
  wanted_.attachments.clear();
  const auto seen = observe().attachments;
  ASSERT_TRUE(seen.contains("hv1"));
  EXPECT_EQ(seen.at("hv1").sandbox, "");
  EXPECT_EQ(seen.at("hv1").parent, "out0");
  EXPECT_EQ(seen.at("hv1").kind, LinkKind::macvlan);
  for (int twice = 0; twice < 2; ++twice) expect_done(RemoveAttachment{"hv1"});
  EXPECT_EQ(observe(), HostState());
  ensure(parented("hv1", sandbox, 5));
  EXPECT_TRUE(kernel().remove_everything());
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, AnEndpointChangesItsKind) {
  ensure(bridge());
  by_hand().add_device("out0");
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(bridged("hv1", sandbox, 5));
  ensure(parented("hv1", sandbox, 5));
  EXPECT_EQ(observe(), wanted_);
  ensure(bridged("hv1", sandbox, 5));
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AMissingParentOrATakenNameLeavesNothing) {
  const auto sandbox = by_hand().add_sandbox("c1");
  EXPECT_EQ(expect_failure(Ensure<Attachment>{parented("hv1", sandbox, 5)}), Errc::not_found);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("out0"));
  by_hand().add_device("out0");
  EXPECT_EQ(expect_failure(Ensure<Attachment>{parented("hv1", "/tmp/host/nowhere", 5)}),
            Errc::not_found);
  by_hand().add_interface(sandbox, "eth0");
  EXPECT_EQ(expect_failure(Ensure<Attachment>{parented("hv1", sandbox, 5)}), Errc::exists);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("eth0"));
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, AVlanDeviceIsObservedAndRemovedOrNamedAsUnsupported) {
  by_hand().add_device("out0");
  EXPECT_EQ(expect_failure(Ensure<VlanDevice>{{"none0.5", "none0", 5}}), Errc::not_found);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("none0"));
  EXPECT_EQ(expect_failure(Ensure<VlanDevice>{{"out0.0", "out0", 0}}), Errc::invalid);
  EXPECT_EQ(expect_failure(Ensure<VlanDevice>{{"out0.4095", "out0", 4095}}), Errc::invalid);
  const VlanDevice vlan{"out0.50", "out0", 50};
  if (const auto made = kernel().apply(Ensure<VlanDevice>{vlan}); !made) {
    EXPECT_EQ(made.error().code(), Errc::unsupported);
    EXPECT_THAT(made.error().text(), ::testing::HasSubstr("8021q"));
    EXPECT_EQ(observe(), HostState());
    return;
  }
  wanted_.vlans["out0.50"] = vlan;
  EXPECT_EQ(observe(), wanted_);
  Attachment attachment = parented("hv1", by_hand().add_sandbox("c1"), 5);
  attachment.parent = "out0.50";
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
  wanted_.vlans["out0.50"].id = 51;
  expect_done(Ensure<VlanDevice>{wanted_.vlans["out0.50"]});
  ensure(attachment);
  EXPECT_EQ(observe(), wanted_);
  for (int twice = 0; twice < 2; ++twice) expect_done(RemoveVlan{"out0.50"});
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
}

}  // namespace heddle::dataplane
