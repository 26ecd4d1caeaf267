// containerlab's management network: how it is read, and who has which address on it.
#include <algorithm>
#include <set>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr std::string_view kSubnet = "172.20.20.0/24";
constexpr MapReader::Range kMtu{1280, 65535};

std::optional<Prefix> read_prefix(const MapReader& map, std::string_view key, bool v4) {
  const auto text = map.text(key);
  if (!text || *text == "auto") return std::nullopt;
  const auto prefix = Prefix::parse(*text);
  if (prefix && prefix->is_v4() == v4 && prefix->length() >= (v4 ? 8 : 16) &&
      prefix->length() <= (v4 ? 30 : 126))
    return *prefix;
  map.error(key, std::string("must be ") + (v4 ? "an IPv4 subnet, such as 172.20.20.0/24"
                                               : "an IPv6 subnet, such as 3fff:172:20:20::/64"));
  return std::nullopt;
}

std::optional<IpAddr> read_address(const MapReader& map, std::string_view key, bool v4) {
  const auto text = map.text(key);
  if (!text) return std::nullopt;
  const auto address = IpAddr::parse(*text);
  if (address && address->is_v4() == v4) return *address;
  map.error(key, v4 ? "must be an IPv4 address" : "must be an IPv6 address");
  return std::nullopt;
}

// The n-th address from the start, and how many can be counted to.
IpAddr nth(const Prefix& prefix, std::uint64_t offset) {
  if (prefix.is_v4()) return prefix.at(offset);
  auto bytes = prefix.address().bytes();
  for (std::size_t i = 16; i > 8 && offset > 0; --i, offset >>= 8) {
    offset += bytes[i - 1];
    bytes[i - 1] = static_cast<std::uint8_t>(offset);
  }
  return IpAddr::v6(bytes);
}
std::uint64_t count_of(const Prefix& prefix) {
  constexpr int kMostBits = 20;
  if (prefix.is_v4()) return prefix.size();
  return std::uint64_t{1} << std::min(128 - prefix.length(), kMostBits);
}

// Gives addresses of one family.
class Family {
 public:
  Family(Prefix subnet, Prefix range, IpAddr gateway, Diagnostics& diagnostics)
      : subnet_(subnet), range_(range), gateway_(gateway), diagnostics_(diagnostics) {
    taken_.insert(gateway);
  }

  void claim(const Node& node, const IpAddr& address, std::string_view key) {
    const std::string path = "topology.nodes." + node.name + "." + std::string(key);
    if (!subnet_.contains(address))
      diagnostics_.error(node.mark, path,
                         address.format() + " is not in the management subnet " + subnet_.format());
    if (!taken_.insert(address).second)
      diagnostics_.error(node.mark, path, address.format() + " is taken");
  }

  std::optional<IpAddr> choose(const Node& node) {
    for (; next_ + 1 < count_of(range_); ++next_) {
      const IpAddr address = nth(range_, next_);
      if (address != nth(subnet_, 0) && taken_.insert(address).second) return address;
    }
    diagnostics_.error(node.mark, "topology.nodes." + node.name,
                       "the management network " + range_.format() + " has no address left");
    return std::nullopt;
  }

 private:
  const Prefix subnet_;
  const Prefix range_;
  const IpAddr gateway_;
  Diagnostics& diagnostics_;
  std::set<IpAddr> taken_;
  std::uint64_t next_ = 1;
};

bool is_wanted(const Lab& lab) {
  return std::ranges::any_of(lab.nodes,
                             [](const Node& node) { return node.mgmt_ipv4 || node.mgmt_ipv6; }) ||
         std::ranges::any_of(lab.links, [&](const Link& link) {
           return link.a.node == "mgmt-net" || link.b.node == "mgmt-net";
         });
}

}  // namespace

void read_mgmt(const YamlNode* node, Lab& lab, Diagnostics& diagnostics) {
  if (!node) return;
  const MapReader map(*node, "mgmt", keys::kMgmt, diagnostics);
  Mgmt mgmt;
  mgmt.network = map.text("network").value_or(map.text("bridge").value_or("clab"));
  mgmt.ipv4 = read_prefix(map, "ipv4-subnet", true);
  mgmt.ipv6 = read_prefix(map, "ipv6-subnet", false);
  mgmt.ipv4_range = read_prefix(map, "ipv4-range", true);
  mgmt.ipv4_gateway = read_address(map, "ipv4-gw", true);
  mgmt.ipv6_gateway = read_address(map, "ipv6-gw", false);
  mgmt.mtu = static_cast<std::uint32_t>(map.integer("mtu", kMtu).value_or(1500));
  for (std::string_view key : {"external-access", "driver-opts", "ipv6-range"}) {
    const YamlNode* value = map.find(key);
    if (value && value->scalar != "false")
      diagnostics.warn(value->mark, map.path_of(key),
                       "ignored: the management network is the lab's own and does not lead out; "
                       "that would need rules on this machine");
  }
  lab.mgmt = mgmt;
}

void give_mgmt_addresses(Lab& lab, Diagnostics& diagnostics) {
  if (!lab.mgmt && !is_wanted(lab)) {
    for (Node& node : lab.nodes) node.mgmt = false;
    return;
  }
  if (!lab.mgmt) lab.mgmt.emplace();
  Mgmt& mgmt = *lab.mgmt;
  const bool wants_v6 =
      std::ranges::any_of(lab.nodes, [](const Node& node) { return node.mgmt_ipv6.has_value(); });
  if (!mgmt.ipv4) mgmt.ipv4 = *Prefix::parse(kSubnet);
  if (!mgmt.ipv6 && wants_v6) mgmt.ipv6 = *Prefix::parse("3fff:172:20:20::/64");
  if (!mgmt.ipv4_gateway) mgmt.ipv4_gateway = nth(*mgmt.ipv4, 1);
  if (mgmt.ipv6 && !mgmt.ipv6_gateway) mgmt.ipv6_gateway = nth(*mgmt.ipv6, 1);
  if (lab.underlay && lab.underlay->subnet.overlaps(*mgmt.ipv4))
    diagnostics.error(
        {}, "mgmt.ipv4-subnet",
        mgmt.ipv4->format() + " overlaps the underlay " + lab.underlay->subnet.format());
  if (!mgmt.ipv4->contains(*mgmt.ipv4_gateway))
    diagnostics.error({}, "mgmt.ipv4-gw", "is not in the subnet " + mgmt.ipv4->format());
  Family v4(*mgmt.ipv4, mgmt.ipv4_range.value_or(*mgmt.ipv4), *mgmt.ipv4_gateway, diagnostics);
  std::optional<Family> v6;
  if (mgmt.ipv6) v6.emplace(*mgmt.ipv6, *mgmt.ipv6, *mgmt.ipv6_gateway, diagnostics);
  for (const Node& node : lab.nodes) {
    if (!node.mgmt) continue;
    if (node.mgmt_ipv4) v4.claim(node, *node.mgmt_ipv4, "mgmt-ipv4");
    if (node.mgmt_ipv6 && v6) v6->claim(node, *node.mgmt_ipv6, "mgmt-ipv6");
  }
  for (Node& node : lab.nodes) {
    if (!node.mgmt) continue;
    if (!node.mgmt_ipv4) node.mgmt_ipv4 = v4.choose(node);
    if (!node.mgmt_ipv6 && v6) node.mgmt_ipv6 = v6->choose(node);
  }
}

}  // namespace heddle::format
