#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "dataplane/intent/kernel.h"

// What every dataplane::Kernel does. A test binary instantiates the suite with the harness of its
// kernel; the harness is also the hand that alters things behind the kernel's back.
namespace heddle::dataplane {

class KernelHarness {
 public:
  virtual ~KernelHarness() = default;
  virtual Kernel& kernel() = 0;
  virtual SandboxPath add_sandbox(const std::string& name) = 0;
  virtual void remove_sandbox(const SandboxPath& sandbox) = 0;
  virtual void add_device(const std::string& name) = 0;  // a link that is not ours
  virtual void add_interface(const SandboxPath& sandbox, const std::string& name) = 0;
  virtual std::string add_cgroup(const std::string& name) = 0;
  virtual void add_listener(const SandboxPath& sandbox, std::uint16_t port) = 0;
  virtual std::uint32_t index_of(const std::string& link) = 0;  // 0: there is none
  virtual void delete_link(const std::string& name) = 0;
  virtual void set_mtu(const std::string& link, std::uint32_t mtu) = 0;
  virtual void delete_address(const Attachment& attachment) = 0;  // its first, inside
  virtual void set_sysctl(const Attachment& attachment, const std::string& name,
                          const std::string& value) = 0;
  virtual void lift_rates(const Attachment& attachment) = 0;     // both directions
  virtual void delete_inside(const Attachment& attachment) = 0;  // the interface
  virtual void alter_masquerades() = 0;
  virtual void unpin(const std::string& pin) = 0;
  virtual void alter_published() = 0;  // 0.0.0.0:8080/tcp leads to 10.77.0.99:99
  // A UDP socket of the sandbox is connected to the VIP, and stays. False: nothing leads VIPs to
  // backends in this kernel.
  virtual bool connect(const SandboxPath& sandbox, const SocketAddr& vip) = 0;
  virtual bool connected() = 0;  // the latest such socket still is
};

using HarnessFactory = std::function<std::unique_ptr<KernelHarness>()>;

class KernelConformance : public ::testing::TestWithParam<HarnessFactory> {
 protected:
  void SetUp() override { harness_ = GetParam()(); }

  Kernel& kernel() { return harness_->kernel(); }
  KernelHarness& by_hand() { return *harness_; }

  static Mac mac(int last) { return Mac{{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(last)}}; }
  static IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }
  static IfAddr on(const char* text) { return IfAddr::parse(text).value(); }
  static Prefix range(const char* text) { return Prefix::parse(text).value(); }

  static Bridge bridge(const std::string& name = "hbr0") {
    return {.name = name, .mac = mac(1), .mtu = 1500, .addresses = {on("10.77.0.1/24")}};
  }

  Attachment bridged(const std::string& host_name, const SandboxPath& sandbox, int last) {
    Attachment attachment;
    attachment.host_name = host_name;
    attachment.sandbox = sandbox;
    attachment.name = "eth0";
    attachment.host_mac = mac(100 + last);
    attachment.mac = mac(last);
    attachment.addresses = {{IpAddr::v4(0x0a4d0000U + static_cast<std::uint32_t>(last)), 24}};
    attachment.routes = {{range("0.0.0.0/0"), ip("10.77.0.1")}};
    attachment.bridge = "hbr0";
    return attachment;
  }

  Attachment overlaid(const std::string& host_name, const SandboxPath& sandbox, int last) {
    Attachment attachment = bridged(host_name, sandbox, last);
    attachment.bridge.clear();
    attachment.overlay = Vni{7};
    attachment.addresses = {{IpAddr::v4(0x0a4d0000U + static_cast<std::uint32_t>(last)), 24}};
    attachment.mtu = 1450;
    return attachment;
  }

  // On a parent, as macvlan.
  Attachment parented(const std::string& host_name, const SandboxPath& sandbox, int last) {
    Attachment attachment = bridged(host_name, sandbox, last);
    attachment.kind = LinkKind::macvlan;
    attachment.mode = ParentMode::bridge;
    attachment.parent = "out0";
    attachment.bridge.clear();
    attachment.host_mac = {};
    return attachment;
  }

  void ensure(const Bridge& object) { put(wanted_.bridges[object.name], object); }
  void ensure(const Attachment& object) { put(wanted_.attachments[object.host_name], object); }
  void ensure(const HostRoute& object) { put(wanted_.host_routes[object.address], object); }
  void ensure(const OverlayNetwork& object) { put(wanted_.overlay_networks[object.vni], object); }
  void ensure(const OverlayAddress& object) {
    put(wanted_.overlay_addresses[{object.vni, object.address}], object);
  }
  void ensure(const OverlayBlock& object) {
    put(wanted_.overlay_blocks[{object.vni, object.prefix}], object);
  }
  void ensure(const ServiceEntry& object) {
    put(wanted_.services[{object.vip, object.port, object.protocol}], object);
  }
  void ensure(const Member& object) { put(wanted_.members[object.sandbox], object); }
  void ensure(const Interception& object) { put(wanted_.interceptions[object.sandbox], object); }
  void ensure(const Underlay& object) {
    wanted_.underlay = object;
    expect_done(Ensure<Underlay>{object});
  }

  void expect_done(const Operation& operation) {
    const auto applied = kernel().apply(operation);
    EXPECT_TRUE(applied) << applied.error().text();
  }
  Errc expect_failure(const Operation& operation) {
    const auto applied = kernel().apply(operation);
    EXPECT_FALSE(applied) << describe(operation);
    if (applied) return Errc::internal;
    last_text_ = applied.error().text();
    return applied.error().code();
  }

  HostState observe() {
    auto seen = kernel().observe(wanted_);
    EXPECT_TRUE(seen) << seen.error().text();
    return seen ? *std::move(seen) : HostState();
  }

  HostState wanted_;
  std::string last_text_;

 private:
  template <class T>
  void put(T& place, const T& object) {
    place = object;
    expect_done(Ensure<T>{object});
  }

  std::unique_ptr<KernelHarness> harness_;
};

TEST_P(KernelConformance, AFreshHostHoldsNothing) {
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, ABridgeIsObservedAsItWasWanted) {
  ensure(bridge());
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AnAttachmentIsObservedAsItWasWanted) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  EXPECT_EQ(observe().bridges, wanted_.bridges);
  EXPECT_EQ(observe().attachments, wanted_.attachments);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, EnsuringAgainChangesNothing) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  const auto bridge_index = by_hand().index_of("hbr0");
  const auto index = by_hand().index_of("hv1");
  ASSERT_NE(index, 0U);
  ensure(wanted_.bridges["hbr0"]);
  ensure(wanted_.attachments["hv1"]);
  EXPECT_EQ(by_hand().index_of("hbr0"), bridge_index);
  EXPECT_EQ(by_hand().index_of("hv1"), index);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AnAttachmentIsChangedInPlace) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  const auto index = by_hand().index_of("hv1");
  Attachment changed = wanted_.attachments["hv1"];
  changed.mtu = 1400;
  changed.mac = mac(55);
  changed.host_mac = mac(56);
  changed.addresses = {on("10.77.0.55/24")};
  changed.routes = {{range("0.0.0.0/0"), ip("10.77.0.1")}, {range("10.99.0.0/16"), {}}};
  ensure(changed);
  EXPECT_EQ(by_hand().index_of("hv1"), index);
  EXPECT_EQ(observe().attachments, wanted_.attachments);
}

TEST_P(KernelConformance, AnAttachmentMovesToAnotherSandbox) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  Attachment moved = wanted_.attachments["hv1"];
  moved.sandbox = by_hand().add_sandbox("c2");
  ensure(moved);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, TwoInterfacesInOneSandbox) {
  ensure(bridge());
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(bridged("hv1", sandbox, 5));
  Attachment second = bridged("hv2", sandbox, 6);
  second.name = "eth1";
  second.bridge.clear();
  second.addresses = {on("10.78.0.6/24")};
  second.routes = {};
  ensure(second);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, RemovingLeavesNothingAndAbsenceIsSuccess) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  for (int twice = 0; twice < 2; ++twice) {
    expect_done(RemoveAttachment{"hv1"});
    expect_done(RemoveBridge{"hbr0"});
  }
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
  EXPECT_EQ(by_hand().index_of("hv1"), 0U);
  EXPECT_EQ(by_hand().index_of("hbr0"), 0U);
}

TEST_P(KernelConformance, ASandboxThatGoesTakesItsAttachmentAlong) {
  ensure(bridge());
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(bridged("hv1", sandbox, 5));
  EXPECT_TRUE(kernel().sandbox_exists(sandbox));
  by_hand().remove_sandbox(sandbox);
  EXPECT_FALSE(kernel().sandbox_exists(sandbox));
  EXPECT_THAT(observe().attachments, ::testing::IsEmpty());
  expect_done(RemoveAttachment{"hv1"});
}

TEST_P(KernelConformance, AnUnwantedAttachmentShowsWhatTheHostSideTells) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  wanted_.attachments.clear();
  const auto seen = observe().attachments;
  ASSERT_TRUE(seen.contains("hv1"));
  EXPECT_EQ(seen.at("hv1").sandbox, "");
  EXPECT_EQ(seen.at("hv1").bridge, "hbr0");
  EXPECT_EQ(seen.at("hv1").host_mac, mac(105));
}

TEST_P(KernelConformance, ChangesByHandAreSeenAndHealed) {
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  by_hand().set_mtu("hv1", 1300);
  EXPECT_NE(observe(), wanted_);
  ensure(wanted_.attachments["hv1"]);
  EXPECT_EQ(observe(), wanted_);

  by_hand().delete_address(wanted_.attachments["hv1"]);
  EXPECT_NE(observe(), wanted_);
  ensure(wanted_.attachments["hv1"]);
  EXPECT_EQ(observe(), wanted_);

  by_hand().set_mtu("hbr0", 1280);
  EXPECT_NE(observe(), wanted_);
  ensure(wanted_.bridges["hbr0"]);
  EXPECT_EQ(observe(), wanted_);

  by_hand().delete_link("hbr0");
  EXPECT_NE(observe(), wanted_);
  ensure(wanted_.bridges["hbr0"]);
  EXPECT_NE(observe(), wanted_) << "the attachment lost its master";
  ensure(wanted_.attachments["hv1"]);
  EXPECT_EQ(observe(), wanted_);

  by_hand().delete_link("hv1");
  EXPECT_NE(observe(), wanted_);
  ensure(wanted_.attachments["hv1"]);
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AMissingSandboxIsNotFoundAndNothingIsLeft) {
  ensure(bridge());
  EXPECT_EQ(expect_failure(Ensure<Attachment>{bridged("hv1", "/tmp/host/nowhere", 5)}),
            Errc::not_found);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("nowhere"));
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AMissingBridgeIsNotFoundAndNothingIsLeft) {
  EXPECT_EQ(expect_failure(Ensure<Attachment>{bridged("hv1", by_hand().add_sandbox("c1"), 5)}),
            Errc::not_found);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("hbr0"));
  EXPECT_EQ(observe(), HostState());
  EXPECT_EQ(by_hand().index_of("hv1"), 0U);
}

TEST_P(KernelConformance, ATakenNameInTheSandboxIsNamedAndNothingIsLeft) {
  ensure(bridge());
  const auto sandbox = by_hand().add_sandbox("c1");
  by_hand().add_interface(sandbox, "eth0");
  EXPECT_EQ(expect_failure(Ensure<Attachment>{bridged("hv1", sandbox, 5)}), Errc::exists);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("eth0"));
  EXPECT_EQ(observe(), wanted_);
  EXPECT_EQ(by_hand().index_of("hv1"), 0U);
}

TEST_P(KernelConformance, LinksOfOthersAreNeverTaken) {
  by_hand().add_device("hbr0");
  by_hand().add_device("hv1");
  EXPECT_EQ(expect_failure(Ensure<Bridge>{bridge()}), Errc::exists);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("hbr0"));
  Attachment attachment = bridged("hv1", by_hand().add_sandbox("c1"), 5);
  attachment.bridge.clear();
  attachment.routes.clear();
  EXPECT_EQ(expect_failure(Ensure<Attachment>{attachment}), Errc::exists);
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, BadValuesAreInvalid) {
  Bridge unnamed = bridge("a name of more than fifteen bytes");
  EXPECT_EQ(expect_failure(Ensure<Bridge>{unnamed}), Errc::invalid);
  for (const char* name : {"", ".", "..", "a/b", "a b"}) {
    EXPECT_EQ(expect_failure(Ensure<Bridge>{bridge(name)}), Errc::invalid) << name;
  }
  Bridge group = bridge();
  group.mac = Mac{{0x01, 0, 0x5e, 0, 0, 1}};
  EXPECT_EQ(expect_failure(Ensure<Bridge>{group}), Errc::invalid);
  Bridge tiny = bridge();
  tiny.mtu = 67;
  EXPECT_EQ(expect_failure(Ensure<Bridge>{tiny}), Errc::invalid);
  EXPECT_EQ(expect_failure(SetRules{{{range("0.0.0.0/0"), ""}}}), Errc::invalid);
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, MasqueradesAreReplacedAsAWhole) {
  ensure(bridge());
  wanted_.masquerades = {{range("10.77.0.0/24"), "hbr0"}, {range("10.78.0.0/24"), ""}};
  expect_done(SetRules{wanted_.masquerades});
  EXPECT_EQ(observe(), wanted_);
  wanted_.masquerades = {{range("10.79.0.0/16"), "hbr0"}};
  expect_done(SetRules{wanted_.masquerades});
  EXPECT_EQ(observe(), wanted_);
  by_hand().alter_masquerades();
  EXPECT_NE(observe(), wanted_);
  expect_done(SetRules{wanted_.masquerades});
  EXPECT_EQ(observe(), wanted_);
  wanted_.masquerades = {};
  expect_done(SetRules{});
  expect_done(SetRules{});
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, RulesOfNetworksAreReplacedAsAWhole) {
  wanted_.rules = {{.device = "hbr0", .subnets = {range("10.77.0.0/24"), range("fd00:77::/64")}},
                   {.device = "hbr1", .subnets = {range("10.78.0.0/24")}, .inbound = true},
                   {.device = "hbr2", .subnets = {range("10.79.0.0/24")}, .outbound = false},
                   {.device = "hvx0", .subnets = {range("10.40.0.0/20")}},
                   {.device = "hvx0", .subnets = {range("10.41.0.7/32")}, .outbound = false},
                   {.device = "hbr3", .subnets = {}, .inbound = true, .outbound = false}};
  expect_done(SetRules{{}, wanted_.rules});
  EXPECT_EQ(observe(), wanted_);
  expect_done(SetRules{{}, wanted_.rules});
  EXPECT_EQ(observe(), wanted_);
  wanted_.rules = {{.device = "hvx0", .subnets = {range("10.40.0.0/20")}, .inbound = true}};
  expect_done(SetRules{{}, wanted_.rules});
  EXPECT_EQ(observe(), wanted_);
  wanted_.rules = {};
  expect_done(SetRules{});
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, SubnetsThatOverlapAreRefused) {
  EXPECT_EQ(expect_failure(SetRules{{{range("10.77.0.0/16"), "a"}, {range("10.77.1.0/24"), "b"}}}),
            Errc::invalid);
  EXPECT_THAT(last_text_, ::testing::HasSubstr("10.77.1.0/24"));
  EXPECT_EQ(expect_failure(SetRules{{},
                                    {{.device = "a", .subnets = {range("10.77.0.0/16")}},
                                     {.device = "b", .subnets = {range("10.77.1.0/24")}}}}),
            Errc::invalid);
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, PublishedPortsAreAddedMovedAndRemovedOneByOne) {
  const auto key = [&](Protocol protocol, const char* address, std::uint16_t port) {
    return PublishedKey{protocol, ip(address), port};
  };
  wanted_.published = {{key(Protocol::tcp, "0.0.0.0", 8080), {ip("10.77.0.5"), 80}},
                       {key(Protocol::tcp, "192.0.2.1", 8080), {ip("10.77.0.6"), 80}},
                       {key(Protocol::udp, "127.0.0.1", 53), {ip("10.77.0.5"), 5353}},
                       {key(Protocol::tcp, "::", 8080), {ip("fd00:77::5"), 80}},
                       {key(Protocol::udp, "2001:db8::1", 65535), {ip("fd00:77::6"), 1}}};
  expect_done(ChangePublished{wanted_.published, {}});
  EXPECT_EQ(observe(), wanted_);
  expect_done(ChangePublished{wanted_.published, {}});
  EXPECT_EQ(observe(), wanted_);

  const auto moved = key(Protocol::tcp, "0.0.0.0", 8080);
  wanted_.published[moved] = {ip("10.77.0.9"), 81};
  wanted_.published.erase(key(Protocol::tcp, "::", 8080));
  expect_done(ChangePublished{{{moved, {ip("10.77.0.9"), 81}}},
                              {key(Protocol::tcp, "::", 8080), key(Protocol::tcp, "::", 9)}});
  EXPECT_EQ(observe(), wanted_);

  by_hand().alter_published();
  EXPECT_EQ(observe().published[moved].port, 99);
  expect_done(ChangePublished{{{moved, {ip("10.77.0.9"), 81}}}, {}});
  EXPECT_EQ(observe(), wanted_);

  std::set<PublishedKey> all;
  for (const auto& [each, target] : wanted_.published) all.insert(each);
  expect_done(ChangePublished{{}, all});
  expect_done(ChangePublished{{}, all});
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, RulesAndPublishedPortsDoNotTouchEachOther) {
  wanted_.published = {{{Protocol::tcp, ip("0.0.0.0"), 8080}, {ip("10.77.0.5"), 80}}};
  expect_done(ChangePublished{wanted_.published, {}});
  wanted_.rules = {{.device = "hbr0", .subnets = {range("10.77.0.0/24")}}};
  wanted_.masquerades = {{range("10.77.0.0/24"), "hbr0"}};
  expect_done(SetRules{wanted_.masquerades, wanted_.rules});
  EXPECT_EQ(observe(), wanted_);
  by_hand().alter_masquerades();
  EXPECT_NE(observe(), wanted_);
  expect_done(SetRules{wanted_.masquerades, wanted_.rules});
  EXPECT_EQ(observe(), wanted_);
  wanted_.published = {};
  expect_done(ChangePublished{{}, {{Protocol::tcp, ip("0.0.0.0"), 8080}}});
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, APortThatLeadsNowhereIsRefused) {
  const PublishedKey key{Protocol::tcp, ip("0.0.0.0"), 80};
  EXPECT_EQ(expect_failure(ChangePublished{{{key, {ip("fd00::1"), 80}}}, {}}), Errc::invalid);
  EXPECT_EQ(expect_failure(ChangePublished{{{key, {ip("10.77.0.5"), 0}}}, {}}), Errc::invalid);
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, SysctlsAreSetAndReadWhereWanted) {
  expect_done(SetSysctl{"net/ipv4/ip_forward", "1"});
  EXPECT_EQ(observe(), HostState());
  wanted_.sysctls["net/ipv4/ip_forward"] = "1";
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, OnlyListedSysctlsAreWritten) {
  EXPECT_EQ(expect_failure(SetSysctl{"net/ipv4/ip_default_ttl", "1"}), Errc::invalid);
  EXPECT_EQ(expect_failure(SetSysctl{"kernel/core_pattern", "1"}), Errc::invalid);
  EXPECT_EQ(expect_failure(SetSysctl{"net/ipv4/conf/../ip_forward", "1"}), Errc::invalid);
  EXPECT_EQ(expect_failure(SetSysctl{"net/ipv4/ip_forward", "yes"}), Errc::invalid);
}

TEST_P(KernelConformance, RemoveEverythingLeavesOnlyOthersThings) {
  by_hand().add_device("out0");
  ensure(bridge());
  ensure(bridged("hv1", by_hand().add_sandbox("c1"), 5));
  ensure(overlaid("hv2", by_hand().add_sandbox("c2"), 6));
  ensure(HostRoute{ip("10.77.0.6"), "hv2", mac(6)});
  expect_done(SetRules{{{range("10.77.0.0/24"), "hbr0"}}});
  expect_done(ChangePublished{{{{Protocol::tcp, ip("0.0.0.0"), 80}, {ip("10.77.0.5"), 80}}}, {}});
  EXPECT_TRUE(kernel().remove_everything());
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
  EXPECT_EQ(by_hand().index_of("hv1"), 0U);
  EXPECT_TRUE(kernel().remove_everything());
}

// --- overlay: what needs eBPF ---

TEST_P(KernelConformance, TheOverlayIsObservedAsItWasWanted) {
  by_hand().add_device("under0");
  ensure(Underlay{.device = "under0",
                  .address = ip("192.0.2.1"),
                  .vxlan_name = "hvx0",
                  .vxlan_port = 4790,
                  .mtu = 1450,
                  .epoch = 9});
  ensure(OverlayNetwork{Vni{7}, range("10.77.0.0/24"), ip("10.77.0.1"), mac(1), false});
  ensure(overlaid("hv1", by_hand().add_sandbox("c1"), 5));
  ensure(OverlayAddress{Vni{7}, ip("10.77.0.5"), mac(5), "hv1", {}});
  ensure(OverlayAddress{Vni{7}, ip("10.77.0.9"), mac(9), "", ip("192.0.2.2")});
  ensure(HostRoute{ip("10.77.0.5"), "hv1", mac(5)});
  EXPECT_EQ(observe(), wanted_);

  ensure(Underlay{.device = "under0",
                  .address = ip("192.0.2.1"),
                  .vxlan_name = "hvx0",
                  .vxlan_port = 4791,
                  .mtu = 1440,
                  .epoch = 10});
  EXPECT_EQ(observe(), wanted_);

  expect_done(RemoveHostRoute{ip("10.77.0.5")});
  expect_done(RemoveOverlayAddress{Vni{7}, ip("10.77.0.5")});
  expect_done(RemoveOverlayAddress{Vni{7}, ip("10.77.0.9")});
  expect_done(RemoveAttachment{"hv1"});
  expect_done(RemoveOverlayNetwork{Vni{7}});
  expect_done(RemoveUnderlay{});
  expect_done(RemoveUnderlay{});
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, WhatAVanishedLinkLeavesIsSeenAndCanBeRemoved) {
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(OverlayNetwork{Vni{7}, range("10.77.0.0/24"), ip("10.77.0.1"), mac(1), false});
  ensure(overlaid("hv1", sandbox, 5));
  ensure(OverlayAddress{Vni{7}, ip("10.77.0.5"), mac(5), "hv1", {}});
  const auto index = by_hand().index_of("hv1");
  by_hand().remove_sandbox(sandbox);
  HostState seen = observe();
  EXPECT_EQ((seen.overlay_addresses[{Vni{7}, ip("10.77.0.5")}].local_device),
            "if#" + std::to_string(index));
  for (const auto& [name, attachment] : seen.attachments) expect_done(RemoveAttachment{name});
  EXPECT_THAT(observe().attachments, ::testing::IsEmpty());
}

TEST_P(KernelConformance, OverlayObjectsNameWhatIsMissing) {
  EXPECT_EQ(expect_failure(Ensure<Underlay>{
                {.device = "none0", .address = ip("192.0.2.1"), .vxlan_name = "hvx0"}}),
            Errc::not_found);
  EXPECT_EQ(expect_failure(Ensure<HostRoute>{{ip("10.77.0.5"), "none0", mac(5)}}), Errc::not_found);
  EXPECT_EQ(expect_failure(Ensure<OverlayAddress>{{Vni{7}, ip("10.77.0.5"), mac(5), "none0", {}}}),
            Errc::not_found);
  EXPECT_EQ(expect_failure(Ensure<OverlayAddress>{{Vni{7}, ip("10.77.0.5"), mac(5), "", {}}}),
            Errc::invalid);
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, ServicesAndMembersAreObservedAsTheyWereWanted) {
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(ServiceEntry{.network = 3,
                      .vip = ip("10.77.0.200"),
                      .port = 80,
                      .protocol = Protocol::tcp,
                      .backends = {{ip("10.77.0.5"), 8080}, {ip("10.77.0.6"), 8080}}});
  ensure(ServiceEntry{.network = 3,
                      .vip = ip("10.77.0.200"),
                      .port = 53,
                      .protocol = Protocol::udp,
                      .backends = {}});
  ensure(Member{sandbox, {3}, true});
  EXPECT_EQ(observe(), wanted_);
  expect_done(RemoveService{{ip("10.77.0.200"), 80, Protocol::tcp}});
  expect_done(RemoveService{{ip("10.77.0.200"), 53, Protocol::udp}});
  expect_done(RemoveMember{sandbox});
  expect_done(RemoveMember{sandbox});
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
}

TEST_P(KernelConformance, PinsThatSomebodyRemovedAreSeenAndRestored) {
  ensure(Member{by_hand().add_sandbox("c1"), {3}, true});
  for (const char* pin : {"hooks/connect4", "hooks/getsockopt", "heddle_members_v1"}) {
    by_hand().unpin(pin);
    const HostState seen = observe();
    EXPECT_EQ(seen.missing_pins, std::set<std::string>{pin});
    expect_done(RestorePins{seen.missing_pins});
    EXPECT_EQ(observe(), wanted_);
  }
}

TEST_P(KernelConformance, AMemberWhoseSandboxWasMadeAnewIsToldApart) {
  const auto sandbox = by_hand().add_sandbox("c1");
  ensure(Member{sandbox, {3}, false});
  by_hand().remove_sandbox(sandbox);
  ASSERT_EQ(by_hand().add_sandbox("c1"), sandbox);
  HostState seen = observe();
  EXPECT_FALSE(seen.members.contains(sandbox));
  ASSERT_EQ(seen.members.size(), 1U);
  const SandboxPath stale = seen.members.begin()->first;
  EXPECT_THAT(stale, ::testing::StartsWith("cookie:"));
  ensure(Member{sandbox, {3}, false});
  expect_done(RemoveMember{stale});
  EXPECT_EQ(observe(), wanted_);
}

TEST_P(KernelConformance, AnInterceptionNeedsItsSandboxCgroupAndListener) {
  const auto sandbox = by_hand().add_sandbox("c1");
  Interception interception{.sandbox = sandbox, .inbound = {8080}, .proxy_cgroup = "/no/cgroup"};
  EXPECT_EQ(expect_failure(Ensure<Interception>{interception}), Errc::not_found);
  interception.proxy_cgroup = by_hand().add_cgroup("proxy1");
  EXPECT_EQ(expect_failure(Ensure<Interception>{interception}), Errc::unavailable);
  EXPECT_EQ(observe(), HostState());
  by_hand().add_listener(sandbox, 15006);
  ensure(interception);
  EXPECT_EQ(observe(), wanted_);
  expect_done(RemoveInterception{sandbox});
  expect_done(RemoveInterception{sandbox});
  wanted_ = {};
  EXPECT_EQ(observe(), HostState());
}

}  // namespace heddle::dataplane
