// Links of containerlab's extended form that have one end.
#include <algorithm>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr MapReader::Range kSingleLinkMtu{68, 65535};

// The parts of `endpoint:`.
struct Point {
  LinkEnd end;
  bool good = false;
};

Point read_point(const MapReader& link, Diagnostics& diagnostics) {
  Point point;
  const YamlNode* node = link.find("endpoint");
  if (!node) {
    link.error("endpoint", "missing: {node: NODE, interface: NAME}");
    return point;
  }
  const MapReader map(*node, link.path_of("endpoint"), keys::kLinkEnd, diagnostics);
  point.end.node = map.text("node").value_or("");
  point.end.interface = map.text("interface").value_or("");
  point.good = is_interface_name(point.end.interface) && !point.end.node.empty();
  if (!point.good)
    map.error("interface", "needs a node and an interface name without blanks, / and :");
  if (const auto text = map.text("mac")) {
    const auto mac = Mac::parse(*text);
    if (mac && !mac->is_multicast()) {
      point.end.mac = *mac;
    } else {
      map.error("mac", "must be a unicast MAC address, such as 02:00:00:00:00:01");
    }
  }
  for (std::string_view key : {"ipv4", "ipv6"}) {
    const auto text = map.text(key);
    if (!text) continue;
    const auto address = IfAddr::parse(*text);
    if (!address || address->address.is_v4() != (key == "ipv4")) {
      map.error(key, "must be an address with its length, such as 192.168.1.1/24");
      continue;
    }
    point.end.addresses.push_back(*address);
  }
  return point;
}

std::string need_text(const MapReader& map, std::string_view key, const std::string& what) {
  const std::string text = map.text(key).value_or("");
  if (text.empty()) map.error(key, "missing: " + what);
  return text;
}

void read_vxlan(const MapReader& map, Device& device) {
  const auto remote = IpAddr::parse(need_text(map, "remote", "the tunnel's other side"));
  if (remote) {
    device.remote = *remote;
  } else if (map.find("remote")) {
    map.error("remote", "must be an address, such as 192.0.2.1");
  }
  if (!map.find("vni")) map.error("vni", "missing: the tunnel's number");
  device.vni = static_cast<std::uint32_t>(map.integer("vni", {1, 0xffffff}).value_or(1));
  device.port = static_cast<std::uint16_t>(map.integer("dst-port", {1, 65535}).value_or(4789));
  device.source_port = static_cast<std::uint16_t>(map.integer("src-port", {0, 65535}).value_or(0));
}

}  // namespace

void read_single_link(const YamlNode& node, const std::string& path, Lab& lab,
                      Diagnostics& diagnostics) {
  const MapReader map(node, path, keys::kSingleLink, diagnostics);
  const std::string type = map.text("type").value_or("");
  const Point point = read_point(map, diagnostics);
  const auto mtu = static_cast<std::uint32_t>(map.integer("mtu", kSingleLinkMtu).value_or(1500));
  if (type == "host" || type == "mgmt-net") {
    const std::string other =
        need_text(map, "host-interface", "the name of the interface on the other side");
    if (!other.empty() && !is_interface_name(other))
      map.error("host-interface", "must be an interface name without blanks, / and :");
    Link link;
    link.mark = map.mark();
    link.mtu = mtu;
    link.a = point.end;
    link.b = {.node = type, .interface = other};
    if (point.good) lab.links.push_back(std::move(link));
    return;
  }
  Device device{.node = point.end.node,
                .interface = point.end.interface,
                .mac = point.end.mac,
                .addresses = point.end.addresses,
                .mtu = mtu,
                .mark = map.mark()};
  if (type == "macvlan") {
    device.kind = Device::Kind::macvlan;
    device.parent = need_text(map, "host-interface", "this machine's interface");
    device.mode = map.text("mode").value_or("bridge");
    constexpr std::string_view kModes[] = {"bridge", "vepa", "private", "passthru"};
    if (std::ranges::find(kModes, device.mode) == std::end(kModes))
      map.error("mode", "\"" + device.mode.substr(0, 40) + "\" is no mode" +
                            suggestion(device.mode, kModes));
  } else if (type == "vxlan") {
    device.kind = Device::Kind::vxlan;
    read_vxlan(map, device);
  }
  if (point.good) lab.devices.push_back(std::move(device));
}

}  // namespace heddle::format
