#include "dataplane/intent/validate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace heddle::dataplane {
namespace {

// The only settings that Heddle writes, whoever asks. `*` stands for one device, `all` or
// `default`. Source: Documentation/networking/ip-sysctl.rst.
constexpr std::array<std::string_view, 12> kSysctls{
    "net/ipv4/ip_forward",
    "net/ipv4/ip_unprivileged_port_start",
    "net/ipv4/conf/*/accept_local",
    "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/*/promote_secondaries",
    "net/ipv4/conf/*/proxy_arp",
    "net/ipv4/conf/*/route_localnet",
    "net/ipv4/conf/*/rp_filter",
    "net/ipv4/conf/*/send_redirects",
    "net/ipv6/conf/*/accept_ra",
    "net/ipv6/conf/*/disable_ipv6",
    "net/ipv6/conf/*/forwarding",
};

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

Result<> vni(Vni value) {
  if (value.value >= 1 && value.value <= kMaxVni) return {};
  return fail(Errc::invalid, "a VNI is 1 to 16777215, not " + std::to_string(value.value));
}

Result<> sandbox(const SandboxPath& path) {
  if (path.starts_with('/') && path.find('\0') == std::string::npos) return {};
  return fail(Errc::invalid, "\"" + path + "\" is no absolute path of a network namespace");
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

struct Validate {
  Result<> operator()(const Ensure<Bridge>& op) const {
    TRY_DO(validate_device(op.object.name));
    TRY_DO(mtu(op.object.mtu));
    TRY_DO(mac(op.object.mac));
    return addresses(op.object.addresses);
  }
  Result<> operator()(const Ensure<Attachment>& op) const {
    const Attachment& a = op.object;
    TRY_DO(validate_device(a.host_name));
    TRY_DO(validate_device(a.name));
    TRY_DO(sandbox(a.sandbox));
    TRY_DO(mtu(a.mtu));
    TRY_DO(mac(a.host_mac));
    TRY_DO(mac(a.mac));
    TRY_DO(addresses(a.addresses));
    if (!a.bridge.empty()) TRY_DO(validate_device(a.bridge));
    if (!a.overlay) return {};
    TRY_DO(vni(*a.overlay));
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
    TRY_DO(vni(op.object.vni));
    TRY_DO(mac(op.object.gateway_mac));
    TRY_DO(unicast_v4(op.object.gateway, "an overlay network's gateway"));
    if (op.object.subnet.is_v4() && op.object.subnet.contains(op.object.gateway)) return {};
    return fail(Errc::invalid, "gateway " + op.object.gateway.format() + " is not in " +
                                   op.object.subnet.format());
  }
  Result<> operator()(const Ensure<OverlayAddress>& op) const {
    TRY_DO(vni(op.object.vni));
    TRY_DO(mac(op.object.mac));
    TRY_DO(unicast_v4(op.object.address, "an overlay address"));
    if (op.object.vtep.has_value() == !op.object.local_device.empty())
      return fail(Errc::invalid,
                  op.object.address.format() + " is either on a device here or on one other node");
    return op.object.vtep ? unicast_v4(*op.object.vtep, "a VTEP's address")
                          : validate_device(op.object.local_device);
  }
  Result<> operator()(const Ensure<ServiceEntry>& op) const {
    TRY_DO(unicast_v4(op.object.vip, "a VIP"));
    TRY_DO(port(op.object.port, "a service's port"));
    for (const BackendAddress& backend : op.object.backends) {
      TRY_DO(unicast_v4(backend.address, "a backend's address"));
      TRY_DO(port(backend.port, "a backend's port"));
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
  Result<> operator()(const SetMasquerades& op) const {
    for (const Masquerade& masquerade : op.masquerades) {
      if (masquerade.subnet.length() == 0)
        return fail(Errc::invalid,
                    "masquerading needs a subnet, not " + masquerade.subnet.format());
      if (!masquerade.except_device.empty()) TRY_DO(validate_device(masquerade.except_device));
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

}  // namespace heddle::dataplane
