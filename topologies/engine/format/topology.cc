#include <algorithm>
#include <map>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr MapReader::Range kLinkMtu{68, 65535};

class LinkReader {
 public:
  LinkReader(std::size_t index, const YamlNode& node, Diagnostics& diagnostics)
      : path_("topology.links[" + std::to_string(index) + "]"),
        map_(node, path_, keys::kLink, diagnostics),
        diagnostics_(diagnostics) {}

  std::optional<Link> read() {
    Link link;
    link.mark = map_.mark();
    link.mtu = static_cast<std::uint32_t>(map_.integer("mtu", kLinkMtu).value_or(1500));
    if (const YamlNode* impair = map_.find("impair"))
      link.impair = read_impairment(*impair, map_.path_of("impair"), diagnostics_);
    if (const auto type = map_.text("type"); type && *type != "veth")
      map_.error("type", "\"" + type->substr(0, 40) +
                             "\" is no type of link here; known are: veth, host, mgmt-net, "
                             "macvlan, dummy, vxlan");
    const YamlNode* ends = map_.find("endpoints");
    if (!ends || ends->kind != YamlNode::Kind::list || ends->items.size() != 2) {
      map_.error("endpoints", "must be a list of two, such as [\"n1:eth1\", \"n2:eth1\"]");
      return std::nullopt;
    }
    auto a = read_end(ends->items[0]);
    auto b = read_end(ends->items[1]);
    if (!a || !b) return std::nullopt;
    link.a = *std::move(a);
    link.b = *std::move(b);
    read_pair("ipv4", link);
    read_pair("ipv6", link);
    return link;
  }

 private:
  std::optional<LinkEnd> read_end(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::map) return read_end_map(node);
    const std::size_t colon = node.scalar.find(':');
    if (node.kind != YamlNode::Kind::scalar || colon == std::string::npos) {
      diagnostics_.error(node.mark, path_ + ".endpoints",
                         "must be \"NODE:INTERFACE\", not \"" + node.scalar.substr(0, 80) + "\"");
      return std::nullopt;
    }
    return checked(
        {.node = node.scalar.substr(0, colon), .interface = node.scalar.substr(colon + 1)},
        node.mark);
  }

  std::optional<LinkEnd> read_end_map(const YamlNode& node) {
    const MapReader end(node, path_ + ".endpoints", keys::kLinkEnd, diagnostics_);
    LinkEnd out{.node = end.text("node").value_or(""),
                .interface = end.text("interface").value_or("")};
    if (const auto text = end.text("mac")) {
      if (const auto mac = Mac::parse(*text); mac && !mac->is_multicast()) {
        out.mac = *mac;
      } else {
        end.error("mac", "must be a unicast MAC address, such as 02:00:00:00:00:01");
      }
    }
    for (std::string_view key : {"ipv4", "ipv6"}) {
      if (const auto text = end.text(key)) add_address(out, *text, key, node.mark);
    }
    return checked(std::move(out), node.mark);
  }

  std::optional<LinkEnd> checked(LinkEnd end, Mark mark) {
    if (end.node.empty() || !is_interface_name(end.interface)) {
      diagnostics_.error(mark, path_ + ".endpoints",
                         "each end needs a node and an interface name without blanks, / and :");
      return std::nullopt;
    }
    return end;
  }

  void read_pair(std::string_view key, Link& link) {
    const YamlNode* list = map_.find(key);
    if (!list) return;
    if (list->kind != YamlNode::Kind::list || list->items.size() > 2) {
      map_.error(key, "must be a list of at most two addresses with lengths, one for each end");
      return;
    }
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      if (list->items[i].scalar.empty()) continue;  // "": none at this end
      add_address(i == 0 ? link.a : link.b, list->items[i].scalar, key, list->items[i].mark);
    }
  }

  void add_address(LinkEnd& end, const std::string& text, std::string_view key, Mark mark) {
    const auto address = IfAddr::parse(text);
    if (!address || address->address.is_v4() != (key == "ipv4")) {
      diagnostics_.error(mark, path_ + "." + std::string(key),
                         "must be an address with its length, such as " +
                             std::string(key == "ipv4" ? "192.168.1.1/24" : "fd00::1/64"));
      return;
    }
    end.addresses.push_back(*address);
  }

  std::string path_;
  MapReader map_;
  Diagnostics& diagnostics_;
};

// `macvlan:PARENT` as an end stands for the machine's interface, as it does there.
void add_link(Link link, Lab& lab) {
  if (link.a.node == "macvlan") std::swap(link.a, link.b);
  if (link.b.node != "macvlan" || lab.find_node("macvlan")) {
    lab.links.push_back(std::move(link));
    return;
  }
  lab.devices.push_back({.kind = Device::Kind::macvlan,
                         .node = link.a.node,
                         .interface = link.a.interface,
                         .mac = link.a.mac,
                         .addresses = link.a.addresses,
                         .mtu = link.mtu,
                         .parent = link.b.interface,
                         .mode = "bridge",
                         .mark = link.mark});
}

}  // namespace

void read_topology(const YamlNode& node, Runtime runtime, Lab& lab, Diagnostics& diagnostics) {
  const MapReader topology(node, "topology", keys::kTopology, diagnostics);
  read_nodes(topology, runtime, lab, diagnostics);
  const YamlNode* links = topology.find("links");
  if (!links) return;
  if (links->kind != YamlNode::Kind::list) topology.error("links", "must be a list");
  for (std::size_t i = 0; i < links->items.size(); ++i) {
    const YamlNode& item = links->items[i];
    const YamlNode* type = item.find("type");
    if (type && std::ranges::find(kSingleTypes, type->scalar) != std::end(kSingleTypes)) {
      read_single_link(item, "topology.links[" + std::to_string(i) + "]", lab, diagnostics);
    } else if (auto link = LinkReader(i, item, diagnostics).read()) {
      add_link(*std::move(link), lab);
    }
  }
}

}  // namespace heddle::format
