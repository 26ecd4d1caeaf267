#include "dataplane/intent/validate.h"

#include <gtest/gtest.h>

#include <functional>

namespace heddle::dataplane {
namespace {

constexpr Mac kMac{{2, 0, 0, 0, 0, 1}};
constexpr Mac kGroup{{1, 0, 0x5e, 0, 0, 1}};
const IpAddr kAddress = IpAddr::v4(0x0a4d0005);
const IpAddr kMulticast = IpAddr::v4(0xe0000001);

bool accepted(const Operation& operation) {
  const auto validated = validate(operation);
  if (validated) return true;
  EXPECT_EQ(validated.error().code(), Errc::invalid);
  EXPECT_NE(validated.error().text(), "");
  return false;
}

template <class T>
bool accepted_with(T object, const std::function<void(T&)>& change) {
  change(object);
  return accepted(Ensure<T>{object});
}

Attachment attachment() {
  Attachment a;
  a.host_name = "hv1";
  a.sandbox = "/run/netns/c1";
  a.name = "eth0";
  a.host_mac = kMac;
  a.mac = kMac;
  a.addresses = {{kAddress, 24}};
  return a;
}

TEST(ValidateDevice, TakesWhatTheKernelTakesAndNothingThatIsAPath) {
  for (const char* name : {"e", "eth0", "fifteen-bytes-x", "vlan.7", "a@b"}) {
    EXPECT_TRUE(validate_device(name)) << name;
  }
  for (const char* name : {"", ".", "..", "a/b", "a b", "sixteen-bytes-xx", "a:b", "a\tb", "a\"b",
                           "if#3", "\xc3\xa4"}) {
    EXPECT_FALSE(validate_device(name)) << name;
  }
  EXPECT_FALSE(validate_device(std::string("a\0b", 3)));
}

TEST(ValidateSysctl, IsAListAndAPatternForOneDevice) {
  EXPECT_TRUE(validate_sysctl("net/ipv4/ip_forward", "1"));
  EXPECT_TRUE(validate_sysctl("net/ipv4/conf/all/rp_filter", "2"));
  EXPECT_TRUE(validate_sysctl("net/ipv4/conf/vlan.7/rp_filter", "0"));
  EXPECT_TRUE(validate_sysctl("net/ipv6/conf/hbr0/disable_ipv6", "1"));
  for (const char* name :
       {"", "net/ipv4/ip_forward/", "/net/ipv4/ip_forward", "net/ipv4/conf//rp_filter",
        "net/ipv4/conf/../rp_filter", "net/ipv4/conf/a/b/rp_filter", "net/ipv4/conf/rp_filter",
        "kernel/panic", "net.ipv4.ip_forward"}) {
    EXPECT_FALSE(validate_sysctl(name, "1")) << name;
  }
  for (const char* value : {"", "-1", "1\n", "1 ", "x", "123456"}) {
    EXPECT_FALSE(validate_sysctl("net/ipv4/ip_forward", value)) << value;
  }
}

TEST(Validate, Attachments) {
  using Change = std::function<void(Attachment&)>;
  EXPECT_TRUE(accepted(Ensure<Attachment>{attachment()}));
  EXPECT_TRUE(accepted_with<Attachment>(attachment(), [](auto& a) { a.overlay = Vni{kMaxVni}; }));
  EXPECT_TRUE(accepted_with<Attachment>(attachment(), [](auto& a) { a.mtu = 65535; }));
  EXPECT_TRUE(accepted_with<Attachment>(attachment(), [](auto& a) { a.mtu = 68; }));
  const std::initializer_list<std::pair<const char*, Change>> refused{
      {"host name", [](auto& a) { a.host_name = "a/b"; }},
      {"name", [](auto& a) { a.name = ""; }},
      {"relative sandbox", [](auto& a) { a.sandbox = "c1"; }},
      {"no sandbox", [](auto& a) { a.sandbox = ""; }},
      {"small MTU", [](auto& a) { a.mtu = 67; }},
      {"large MTU", [](auto& a) { a.mtu = 65536; }},
      {"group MAC", [](auto& a) { a.mac = kGroup; }},
      {"no MAC", [](auto& a) { a.host_mac = {}; }},
      {"length", [](auto& a) { a.addresses[0].length = 33; }},
      {"multicast", [](auto& a) { a.addresses[0].address = kMulticast; }},
      {"VNI 0", [](auto& a) { a.overlay = Vni{0}; }},
      {"VNI of 25 bits", [](auto& a) { a.overlay = Vni{kMaxVni + 1}; }},
      {"overlay and bridge", [](auto& a) { a.overlay = Vni{7}, a.bridge = "br0"; }},
      {"overlay without address", [](auto& a) { a.overlay = Vni{7}, a.addresses.clear(); }},
      {"overlay of IPv6",
       [](auto& a) { a.overlay = Vni{7}, a.addresses[0] = {IpAddr::v6({1}), 64}; }},
  };
  for (const auto& [what, change] : refused) {
    EXPECT_FALSE(accepted_with<Attachment>(attachment(), change)) << what;
  }
}

TEST(Validate, TheOverlaysObjects) {
  const Underlay underlay{.device = "eth0", .address = kAddress, .vxlan_name = "hvx0"};
  EXPECT_TRUE(accepted(Ensure<Underlay>{underlay}));
  EXPECT_FALSE(accepted_with<Underlay>(underlay, [](auto& u) { u.address = IpAddr(); }));
  EXPECT_FALSE(accepted_with<Underlay>(underlay, [](auto& u) { u.address = IpAddr::v6({1}); }));
  EXPECT_FALSE(accepted_with<Underlay>(underlay, [](auto& u) { u.vxlan_port = 0; }));
  EXPECT_FALSE(accepted_with<Underlay>(underlay, [](auto& u) { u.device = ""; }));

  const OverlayNetwork network{Vni{7}, Prefix::parse("10.77.0.0/24").value(),
                               IpAddr::v4(0x0a4d0001), kMac, false};
  EXPECT_TRUE(accepted(Ensure<OverlayNetwork>{network}));
  EXPECT_FALSE(
      accepted_with<OverlayNetwork>(network, [](auto& n) { n.gateway = IpAddr::v4(0x0a4e0001); }));
  EXPECT_FALSE(accepted_with<OverlayNetwork>(network, [](auto& n) { n.vni = {}; }));

  const OverlayAddress here{Vni{7}, kAddress, kMac, "hv1", {}};
  EXPECT_TRUE(accepted(Ensure<OverlayAddress>{here}));
  EXPECT_FALSE(accepted_with<OverlayAddress>(here, [](auto& a) { a.vtep = kAddress; }));
  EXPECT_FALSE(accepted_with<OverlayAddress>(here, [](auto& a) { a.local_device = ""; }));
  EXPECT_FALSE(accepted_with<OverlayAddress>(
      here, [](auto& a) { a.local_device = "", a.vtep = kMulticast; }));
}

TEST(Validate, ServicesMembersAndInterceptions) {
  const ServiceEntry service{
      .network = 1, .vip = kAddress, .port = 80, .backends = {{kAddress, 8080}}};
  EXPECT_TRUE(accepted(Ensure<ServiceEntry>{service}));
  EXPECT_FALSE(accepted_with<ServiceEntry>(service, [](auto& s) { s.port = 0; }));
  EXPECT_FALSE(accepted_with<ServiceEntry>(service, [](auto& s) { s.backends[0].port = 0; }));
  EXPECT_FALSE(accepted_with<ServiceEntry>(service, [](auto& s) { s.vip = kMulticast; }));
  EXPECT_TRUE(accepted(Ensure<Member>{{"/run/netns/c1", {1}, false}}));
  EXPECT_FALSE(accepted(Ensure<Member>{{"cookie:12", {1}, false}}));
  const Interception interception{.sandbox = "/c", .inbound = {80}, .proxy_cgroup = "/g"};
  EXPECT_TRUE(accepted(Ensure<Interception>{interception}));
  EXPECT_FALSE(accepted_with<Interception>(interception, [](auto& i) { i.proxy_cgroup = ""; }));
  EXPECT_FALSE(accepted_with<Interception>(interception, [](auto& i) { i.inbound_port = 0; }));
}

TEST(Validate, RemovingWhatCannotExistIsNoMistake) {
  EXPECT_TRUE(accepted(RemoveBridge{"a/b"}));
  EXPECT_TRUE(accepted(RemoveAttachment{"if#12"}));
  EXPECT_TRUE(accepted(RemoveMember{"cookie:12"}));
  EXPECT_TRUE(accepted(SetRules{}));
}

}  // namespace
}  // namespace heddle::dataplane
