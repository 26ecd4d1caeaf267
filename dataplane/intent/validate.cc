#include "dataplane/intent/validate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>
#include <vector>

namespace heddle::dataplane {
namespace {

// The only settings that Heddle writes, whoever asks. `*` stands for one device, `all` or
// `default`. Source: Documentation/networking/ip-sysctl.rst.
constexpr std::array<std::string_view, 14> kSysctls{
    "net/ipv4/ip_forward",
    "net/ipv4/ip_unprivileged_port_start",
    "net/ipv4/conf/*/accept_local",
    "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/*/promote_secondaries",
    "net/ipv4/conf/*/proxy_arp",
    "net/ipv4/conf/*/route_localnet",
    "net/ipv4/conf/*/rp_filter",
    "net/ipv4/conf/*/send_redirects",
    "net/ipv6/conf/*/accept_dad",
    "net/ipv6/conf/*/accept_ra",
    "net/ipv6/conf/*/disable_ipv6",
    "net/ipv6/conf/*/forwarding",
    "net/ipv6/conf/*/proxy_ndp",
};

// Bits a second: one frame takes no longer than a second or so, and the sum of a second's bytes is
// far from any overflow.
constexpr std::uint64_t kMinRate = 8'000;
constexpr std::uint64_t kMaxRate = 1'000'000'000'000;

bool matches(std::string_view pattern, std::string_view name) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  const auto before = pattern.substr(0, star);
  const auto after = pattern.substr(star + 1);
  if (name.size() <= before.size() + after.size()) return false;
  if (!name.starts_with(before) || !name.ends_with(after)) return false;
  const auto device = name.substr(before.size(), name.size() - before.size() - after.size());
  return validate_device(std::string(device)).has_value();
}

// 68: RFC 791. 65535: the largest that veth(4) takes.
Result<> mtu(std::uint32_t value) {
  if (value >= 68 && value <= 65535) return {};
  return fail(Errc::invalid, "an MTU is 68 to 65535 bytes, not " + std::to_string(value));
}

Result<> mac(const Mac& value) {
  if (!value.is_multicast() && value != Mac()) return {};
  return fail(Errc::invalid, value.format() + " is no unicast Ethernet address");
}

Result<> check_vni(Vni value) {
  if (value.value >= 1 && value.value <= kMaxVni) return {};
  return fail(Errc::invalid, "a VNI is 1 to 16777215, not " + std::to_string(value.value));
}

Result<> sandbox(const SandboxPath& path) {
  if (path.starts_with('/') && path.find('\0') == std::string::npos) return {};
  return fail(Errc::invalid, "\"" + path + "\" is no absolute path of a network namespace");
}

// In order of address and length, two that overlap have none between them that overlaps neither.
Result<> apart(std::vector<Prefix> subnets, std::string_view what) {
  std::ranges::sort(subnets);
  const auto met = std::ranges::adjacent_find(
      subnets, [](const Prefix& a, const Prefix& b) { return a.overlaps(b); });
  if (met == subnets.end()) return {};
  return fail(Errc::invalid, std::string(what) + ": subnets " + met->format() + " and " +
                                 std::next(met)->format() + " overlap");
}

Result<> port(std::uint16_t value, std::string_view what) {
  if (value) return {};
  return fail(Errc::invalid, std::string(what) + " is 1 to 65535, not 0");
}

Result<> unicast_v4(const IpAddr& value, std::string_view what) {
  if (value.is_v4() && !value.is_unspecified() && !value.is_multicast()) return {};
  return fail(Errc::invalid,
              std::string(what) + " is an IPv4 unicast address, not " + value.format());
}

Result<> addresses(const std::vector<IfAddr>& all) {
  for (const IfAddr& one : all) {
    if (one.length < 0 || one.length > (one.address.is_v4() ? 32 : 128) ||
        one.address.is_unspecified() || one.address.is_multicast())
      return fail(Errc::invalid, one.format() + " cannot be an interface's address");
  }
  return {};
}

Result<> rate(std::uint64_t bits) {
  if (bits == 0 || (bits >= kMinRate && bits <= kMaxRate)) return {};
  return fail(Errc::invalid,
              "a rate is 8000 to 1000000000000 bits a second, not " + std::to_string(bits));
}

// A parent and its mode go with the kinds that have one, and nothing else of theirs with a bridge.
Result<> kind(const Attachment& a) {
  if (a.kind == LinkKind::veth) {
    if (a.parent.empty() && a.mode == ParentMode::none) return {};
    return fail(Errc::invalid, "a veth pair has no parent");
  }
  TRY_DO(validate_device(a.parent));
  const bool of_macvlan = a.mode >= ParentMode::bridge && a.mode <= ParentMode::passthru;
  const bool of_ipvlan = a.mode >= ParentMode::l2 && a.mode <= ParentMode::l3s;
  if (a.kind == LinkKind::macvlan ? !of_macvlan : !of_ipvlan)
    return fail(Errc::invalid, "the mode does not belong to the kind of interface");
  if (!a.bridge.empty() || a.overlay || a.isolated || a.rate_in || a.rate_out)
    return fail(Errc::invalid,
                "an interface on a parent has no host side: no bridge, no overlay, no rates");
  return {};
}

struct Validate {
  Result<> operator()(const Ensure<Bridge>& op) const {
    TRY_DO(validate_device(op.object.name));
    TRY_DO(mtu(op.object.mtu));
    TRY_DO(mac(op.object.mac));
    return addresses(op.object.addresses);
  }
  Result<> operator()(const Ensure<VlanDevice>& op) const {
    TRY_DO(validate_device(op.object.name));
    TRY_DO(validate_device(op.object.parent));
    if (op.object.id >= 1 && op.object.id <= 4094) return {};
    return fail(Errc::invalid, "a VLAN is 1 to 4094, not " + std::to_string(op.object.id));
  }
  Result<> operator()(const Ensure<Attachment>& op) const {
    const Attachment& a = op.object;
    TRY_DO(kind(a));
    for (const auto& [name, value] : a.sysctls) TRY_DO(validate_interface_sysctl(name, value));
    TRY_DO(validate_device(a.host_name));
    TRY_DO(validate_device(a.name));
    TRY_DO(sandbox(a.sandbox));
    TRY_DO(mtu(a.mtu));
    TRY_DO(rate(a.rate_in));
    TRY_DO(rate(a.rate_out));
    if (a.isolated && a.bridge.empty())
      return fail(Errc::invalid, "only a port of a bridge is isolated");
    if (a.kind == LinkKind::veth) TRY_DO(mac(a.host_mac));
    if (a.kind != LinkKind::ipvlan) TRY_DO(mac(a.mac));
    TRY_DO(addresses(a.addresses));
    if (!a.bridge.empty()) TRY_DO(validate_device(a.bridge));
    if (!a.overlay) return {};
    TRY_DO(check_vni(*a.overlay));
    if (!a.bridge.empty()) return fail(Errc::invalid, "an overlay endpoint is no port of a bridge");
    if (a.addresses.empty() || !a.addresses.front().address.is_v4())
      return fail(Errc::invalid, "an overlay endpoint needs an IPv4 address, and first");
    return {};
  }
  Result<> operator()(const Ensure<Underlay>& op) const {
    TRY_DO(validate_device(op.object.device));
    TRY_DO(validate_device(op.object.vxlan_name));
    TRY_DO(mtu(op.object.mtu));
    TRY_DO(unicast_v4(op.object.address, "the underlay's address"));
    return port(op.object.vxlan_port, "the VXLAN port");
  }
  Result<> operator()(const Ensure<HostRoute>& op) const {
    TRY_DO(validate_device(op.object.device));
    return mac(op.object.mac);
  }
  Result<> operator()(const Ensure<OverlayNetwork>& op) const {
    TRY_DO(check_vni(op.object.vni));
    TRY_DO(mac(op.object.gateway_mac));
    TRY_DO(unicast_v4(op.object.gateway, "an overlay network's gateway"));
    if (op.object.subnet.is_v4() && op.object.subnet.contains(op.object.gateway)) return {};
    return fail(Errc::invalid, "gateway " + op.object.gateway.format() + " is not in " +
                                   op.object.subnet.format());
  }
  Result<> operator()(const Ensure<OverlayAddress>& op) const {
    TRY_DO(check_vni(op.object.vni));
    TRY_DO(mac(op.object.mac));
    TRY_DO(unicast_v4(op.object.address, "an overlay address"));
    if (op.object.vtep.has_value() == !op.object.local_device.empty())
      return fail(Errc::invalid,
                  op.object.address.format() + " is either on a device here or on one other node");
    return op.object.vtep ? unicast_v4(*op.object.vtep, "a VTEP's address")
                          : validate_device(op.object.local_device);
  }
  Result<> operator()(const Ensure<OverlayBlock>& op) const {
    TRY_DO(check_vni(op.object.vni));
    TRY_DO(mac(op.object.mac));
    TRY_DO(unicast_v4(op.object.vtep, "a VTEP's address"));
    return unicast_v4(op.object.prefix.address(), "a block of overlay addresses");
  }
  Result<> operator()(const Ensure<ServiceEntry>& op) const {
    TRY_DO(unicast_v4(op.object.vip, "a VIP"));
    TRY_DO(port(op.object.port, "a service's port"));
    for (const BackendAddress& backend : op.object.backends) {
      TRY_DO(unicast_v4(backend.address, "a backend's address"));
      TRY_DO(port(backend.port, "a backend's port"));
      if (backend.weight == 0) return fail(Errc::invalid, "a backend's weight is 1 to 255, not 0");
    }
    return {};
  }
  Result<> operator()(const Ensure<Member>& op) const { return sandbox(op.object.sandbox); }
  Result<> operator()(const Ensure<Interception>& op) const {
    TRY_DO(sandbox(op.object.sandbox));
    if (op.object.proxy_cgroup.empty())
      return fail(Errc::invalid, "an interception needs the proxy's cgroup");
    if (!op.object.inbound.empty()) return port(op.object.inbound_port, "the inbound port");
    return {};
  }
  Result<> operator()(const SetRules& op) const {
    std::vector<Prefix> masqueraded;
    for (const Masquerade& masquerade : op.masquerades) {
      if (masquerade.subnet.length() == 0)
        return fail(Errc::invalid,
                    "masquerading needs a subnet, not " + masquerade.subnet.format());
      if (!masquerade.except_device.empty()) TRY_DO(validate_device(masquerade.except_device));
      masqueraded.push_back(masquerade.subnet);
    }
    std::vector<Prefix> guarded;
    for (const NetworkRules& rules : op.rules) {
      TRY_DO(validate_device(rules.device));
      guarded.insert(guarded.end(), rules.subnets.begin(), rules.subnets.end());
    }
    TRY_DO(apart(std::move(masqueraded), "masquerading"));
    return apart(std::move(guarded), "rules of networks");
  }
  Result<> operator()(const ChangePublished& op) const {
    for (const auto& [key, target] : op.put) {
      TRY_DO(port(key.port, "a published port"));
      TRY_DO(port(target.port, "an endpoint's port"));
      if (key.address.is_v4() != target.address.is_v4() || target.address.is_unspecified() ||
          key.address.is_multicast())
        return fail(Errc::invalid, format(key) + " cannot lead to " + target.address.format());
      // The kernel lets nothing with this address off the loopback device (ip6_rcv).
      if (!key.address.is_v4() && key.address.is_loopback())
        return fail(Errc::invalid, format(key) + " cannot be published: use 127.0.0.1");
    }
    return {};
  }
  Result<> operator()(const SetSysctl& op) const { return validate_sysctl(op.name, op.value); }
  // What is named wrongly is not there.
  template <class Remove>
  Result<> operator()(const Remove&) const {
    return {};
  }
};

}  // namespace

Result<> validate(const Operation& operation) {
  return std::visit(Validate{}, operation);
}

Result<> validate_device(const std::string& name) {
  constexpr std::string_view kRefused = "/:\"\\";
  const bool characters = std::ranges::all_of(name, [&](unsigned char c) {
    return c > ' ' && c < 0x7f && !kRefused.contains(static_cast<char>(c));
  });
  // `if#12` is how an observation names a link that went.
  if (name.empty() || name.size() > kMaxIfName || name == "." || name == ".." || !characters ||
      name.starts_with("if#"))
    return fail(Errc::invalid, "\"" + name + "\" is no name for a network device (1 to " +
                                   std::to_string(kMaxIfName) +
                                   " bytes without spaces, slashes, colons and quotes)");
  return {};
}

Result<> validate_sysctl(const std::string& name, const std::string& value) {
  if (!std::ranges::any_of(kSysctls, [&](auto pattern) { return matches(pattern, name); }))
    return fail(Errc::invalid, "sysctl " + name + " is none of those that Heddle sets");
  if (value.empty() || value.size() > 5 ||
      !std::ranges::all_of(value, [](unsigned char c) { return std::isdigit(c); }))
    return fail(Errc::invalid, "sysctl " + name + " takes a small number, not \"" + value + "\"");
  return {};
}

Result<> validate_interface_sysctl(const std::string& name, const std::string& value) {
  constexpr std::array<std::string_view, 4> kOfOneInterface{"net/ipv4/conf/", "net/ipv6/conf/",
                                                            "net/ipv4/neigh/", "net/ipv6/neigh/"};
  const auto prefix = std::ranges::find_if(
      kOfOneInterface, [&](std::string_view start) { return name.starts_with(start); });
  const bool characters = std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '/' || c == '-' || c == '.';
  });
  const std::string rest = prefix == kOfOneInterface.end() ? "" : name.substr(prefix->size());
  const auto slash = rest.find('/');
  if (!characters || slash == std::string::npos || slash + 1 == rest.size() ||
      rest.find('/', slash + 1) != std::string::npos || rest.contains("..") ||
      !validate_device(rest.substr(0, slash)))
    return fail(Errc::invalid, "sysctl " + name +
                                   " is none of one interface (net/ipv4/conf/NAME/..., "
                                   "net/ipv6/conf/NAME/..., net/ipv4/neigh/NAME/..., "
                                   "net/ipv6/neigh/NAME/...)");
  if (value.empty() || value.size() > 64 ||
      !std::ranges::all_of(value, [](unsigned char c) { return c >= ' ' && c < 0x7f; }))
    return fail(Errc::invalid, "sysctl " + name + " has no printable value of 1 to 64 bytes");
  return {};
}

}  // namespace heddle::dataplane
