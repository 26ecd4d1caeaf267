#include <algorithm>
#include <map>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

constexpr MapReader::Range kLinkMtu{68, 65535};

// What one level says of a node: the node itself, its group, its kind or the defaults.
struct Layer {
  std::optional<std::string> kind;
  std::optional<std::string> group;
  std::optional<std::string> entrypoint;
  std::optional<std::string> command;
  std::optional<std::string> underlay;
  std::vector<std::string> exec;
  std::vector<std::string> binds;
  std::map<std::string, std::string> env;
  std::map<std::string, std::string> sysctls;
  std::optional<LinkImpairment> impair;
};
using Layers = std::map<std::string, Layer>;

Layer read_layer(const YamlNode& node, const std::string& path, Diagnostics& diagnostics) {
  const MapReader map(node, path, keys::kNode, diagnostics);
  if (map.find("stages")) map.error("stages", std::string(kNotYet));
  for (std::string_view key : keys::kNodeIgnored) {
    if (const YamlNode* value = map.find(key))
      diagnostics.warn(value->mark, map.path_of(key),
                       "ignored: nodes are network namespaces on this machine's root file system");
  }
  std::optional<LinkImpairment> impair;
  if (const YamlNode* value = map.find("impair"))
    impair = read_impairment(*value, map.path_of("impair"), diagnostics);
  return {.kind = map.text("kind"),
          .group = map.text("group"),
          .entrypoint = map.text("entrypoint"),
          .command = map.text("cmd"),
          .underlay = map.text("underlay"),
          .exec = map.texts("exec"),
          .binds = map.texts("binds"),
          .env = map.text_map("env"),
          .sysctls = map.text_map("sysctls"),
          .impair = impair};
}

Layers read_layers(const MapReader& topology, std::string_view key, Diagnostics& diagnostics) {
  Layers layers;
  const YamlNode* map = topology.find(key);
  if (!map) return layers;
  if (map->kind != YamlNode::Kind::map) {
    topology.error(key, "must be a map of names");
    return layers;
  }
  for (const YamlNode::Entry& entry : map->entries)
    layers[entry.key] =
        read_layer(entry.value, topology.path_of(key) + "." + entry.key, diagnostics);
  return layers;
}

std::string bind_destination(const std::string& bind) {
  const std::size_t first = bind.find(':');
  if (first == std::string::npos) return bind;
  return bind.substr(first + 1, bind.find(':', first + 1) - first - 1);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// Reads nodes with containerlab's precedence: node, group, kind, defaults.
class NodeReader {
 public:
  NodeReader(const MapReader& topology, Diagnostics& diagnostics)
      : diagnostics_(diagnostics),
        kinds_(read_layers(topology, "kinds", diagnostics)),
        groups_(read_layers(topology, "groups", diagnostics)) {
    if (const YamlNode* defaults = topology.find("defaults"))
      defaults_ = read_layer(*defaults, topology.path_of("defaults"), diagnostics);
  }

  Node read(const YamlNode::Entry& entry) {
    const std::string path = "topology.nodes." + entry.key;
    const Layer own = read_layer(entry.value, path, diagnostics_);
    const std::string group = own.group.value_or(defaults_.group.value_or(""));
    const Layer grouped = groups_.contains(group) ? groups_.at(group) : Layer{};
    const std::string kind =
        own.kind.value_or(grouped.kind.value_or(defaults_.kind.value_or("linux")));
    const Layer kinded = kinds_.contains(kind) ? kinds_.at(kind) : Layer{};

    Node node;
    node.name = entry.key;
    node.mark = entry.mark;
    set_kind(node, kind, path);
    // Least specific first: later levels overwrite.
    for (const Layer* layer : {&std::as_const(defaults_), &kinded, &grouped, &own})
      apply(*layer, node, path);
    if (own.impair && !node.underlay)
      diagnostics_.error(node.mark, path + ".impair",
                         "is of a node's link to the underlay, which it has with `underlay: true`; "
                         "other links have theirs under topology.links");
    finish(node);
    return node;
  }

 private:
  void set_kind(Node& node, const std::string& kind, const std::string& path) {
    for (NodeKind known : {NodeKind::linux, NodeKind::bridge, NodeKind::host}) {
      if (kind != name_of(known)) continue;
      node.kind = known;
      return;
    }
    diagnostics_.error(
        node.mark, path + ".kind",
        "kind \"" + kind.substr(0, 40) + "\" is not supported; linux, bridge and host are");
  }

  void apply(const Layer& layer, Node& node, const std::string& path) {
    if (layer.entrypoint) entrypoint_ = *layer.entrypoint;
    if (layer.command) command_ = *layer.command;
    if (layer.underlay) set_underlay(*layer.underlay, node, path);
    if (layer.impair) node.impair = layer.impair;
    // containerlab runs the least specific level's commands first.
    node.exec.insert(node.exec.end(), layer.exec.begin(), layer.exec.end());
    for (const auto& [key, value] : layer.env) node.env[key] = value;
    for (const auto& [key, value] : layer.sysctls) node.sysctls[key] = value;
    for (const std::string& bind : layer.binds) {
      std::erase_if(node.binds, [&](const std::string& old) {
        return bind_destination(old) == bind_destination(bind);
      });
      node.binds.push_back(bind);
      check_bind(bind, node, path);
    }
  }

  void check_bind(const std::string& bind, const Node& node, const std::string& path) {
    const auto parts = std::ranges::count(bind, ':');
    if (parts < 1 || parts > 2 || bind_destination(bind).empty() ||
        bind_destination(bind).front() != '/')
      diagnostics_.error(node.mark, path + ".binds",
                         "\"" + bind.substr(0, 80) + "\" must be SOURCE:/DESTINATION[:ro]");
  }

  void set_underlay(const std::string& text, Node& node, const std::string& path) {
    if (text == "false") {
      node.underlay.reset();
    } else if (text == "true") {
      node.underlay = IpAddr{};  // chosen by check_lab
    } else if (const auto address = IpAddr::parse(text); address && address->is_v4()) {
      node.underlay = *address;
    } else {
      diagnostics_.error(node.mark, path + ".underlay",
                         "must be true, false or an IPv4 address of the underlay");
    }
  }

  void finish(Node& node) {
    node.command = entrypoint_;
    if (!command_.empty()) node.command += (node.command.empty() ? "" : " ") + command_;
    entrypoint_.clear();
    command_.clear();
    const auto fill = [&](std::string& text) { replace_all(text, "__clabNodeName__", node.name); };
    std::ranges::for_each(node.exec, fill);
    std::ranges::for_each(node.binds, fill);
    fill(node.command);
    for (auto& [key, value] : node.env) fill(value);
  }

  Diagnostics& diagnostics_;
  Layers kinds_;
  Layers groups_;
  Layer defaults_;
  std::string entrypoint_;
  std::string command_;
};

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
      map_.error("type",
                 "\"" + type->substr(0, 40) + "\" is " + std::string(kNotYet) + "; veth is");
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
    const bool slash = end.interface.find('/') != std::string::npos;
    const bool space = end.interface.find_first_of(" \t\n:") != std::string::npos;
    if (end.node.empty() || end.interface.empty() || end.interface.size() > 63 || slash || space ||
        end.interface == "." || end.interface == ".." || end.interface == "lo") {
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

}  // namespace

void read_topology(const YamlNode& node, Lab& lab, Diagnostics& diagnostics) {
  const MapReader topology(node, "topology", keys::kTopology, diagnostics);
  NodeReader reader(topology, diagnostics);
  if (const YamlNode* nodes = topology.find("nodes")) {
    if (nodes->kind != YamlNode::Kind::map) topology.error("nodes", "must be a map of node names");
    for (const YamlNode::Entry& entry : nodes->entries) {
      if (!is_name(entry.key))
        topology.error("nodes", "\"" + entry.key.substr(0, 80) +
                                    "\" is no node name: 1 to 63 letters, "
                                    "digits, -, _ or ., starting with a letter or digit");
      lab.nodes.push_back(reader.read(entry));
    }
  }
  const YamlNode* links = topology.find("links");
  if (!links) return;
  if (links->kind != YamlNode::Kind::list) topology.error("links", "must be a list");
  for (std::size_t i = 0; i < links->items.size(); ++i) {
    if (auto link = LinkReader(i, links->items[i], diagnostics).read())
      lab.links.push_back(*std::move(link));
  }
}

}  // namespace heddle::format
