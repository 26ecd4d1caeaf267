#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <span>

#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

using Layers = std::map<std::string, MapReader>;

// What one level says of a node: the node itself, its group, its kind or the defaults.
MapReader read_layer(const YamlNode& node, const std::string& path, Diagnostics& diagnostics) {
  return MapReader(node, path, keys::kNode, diagnostics);
}

void warn_of_ignored(const MapReader& map, Runtime runtime, Diagnostics& diagnostics) {
  const auto warn = [&](std::span<const std::string_view> names, const std::string& why) {
    for (std::string_view key : names) {
      if (const YamlNode* value = map.find(key))
        diagnostics.warn(value->mark, map.path_of(key), "ignored: " + why);
    }
  };
  if (runtime == Runtime::docker)
    return warn(keys::kIgnoredByDocker, "nothing here needs it, or the lab would not be alone");
  warn(keys::kIgnoredByNetns, "nodes are network namespaces on this machine's root file system");
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
    layers.emplace(entry.key,
                   read_layer(entry.value, topology.path_of(key) + "." + entry.key, diagnostics));
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
  NodeReader(const MapReader& topology, Runtime runtime, Diagnostics& diagnostics)
      : diagnostics_(diagnostics),
        runtime_(runtime),
        kinds_(read_layers(topology, "kinds", diagnostics)),
        groups_(read_layers(topology, "groups", diagnostics)) {
    if (const YamlNode* defaults = topology.find("defaults"))
      defaults_.emplace(read_layer(*defaults, topology.path_of("defaults"), diagnostics));
  }

  Node read(const YamlNode::Entry& entry) {
    const MapReader own = read_layer(entry.value, "topology.nodes." + entry.key, diagnostics_);
    layers_ = {&own};
    if (defaults_) layers_.push_back(&*defaults_);
    const std::string group = text("group");
    if (const auto found = groups_.find(group); found != groups_.end())
      layers_.insert(layers_.begin() + 1, &found->second);
    const std::string kind = text("kind", "linux");
    if (const auto found = kinds_.find(kind); found != kinds_.end())
      layers_.insert(layers_.end() - (defaults_ ? 1 : 0), &found->second);

    Node node;
    node.name = entry.key;
    node.mark = entry.mark;
    node.group = group;
    set_kind(node, kind, own);
    merge(node);
    read_runtime(node, own);
    read_network(node);
    read_impair(node, own);
    read_stages(node);
    fill_names(node);
    return node;
  }

  // Of levels that several nodes share.
  void warn_of_shared() const {
    const Runtime runtime = any_container_ ? Runtime::docker : Runtime::netns;
    if (defaults_) warn_of_ignored(*defaults_, runtime, diagnostics_);
    for (const Layers* layers : {&kinds_, &groups_}) {
      for (const auto& [name, map] : *layers) warn_of_ignored(map, runtime, diagnostics_);
    }
  }

 private:
  // The most specific level that says something of `key`; none: nullptr.
  const MapReader* level(std::string_view key) const {
    for (const MapReader* layer : layers_) {
      if (layer->find(key)) return layer;
    }
    return nullptr;
  }
  std::string text(std::string_view key, const std::string& otherwise = "") const {
    const MapReader* layer = level(key);
    return layer ? layer->text(key).value_or(otherwise) : otherwise;
  }

  void set_kind(Node& node, const std::string& kind, const MapReader& own) {
    for (NodeKind known : {NodeKind::linux, NodeKind::bridge, NodeKind::host}) {
      if (kind != name_of(known)) continue;
      node.kind = known;
      return;
    }
    diagnostics_.error(
        node.mark, own.path_of("kind"),
        "kind \"" + kind.substr(0, 40) + "\" is not supported; linux, bridge and host are");
  }

  // Least specific first: later levels overwrite, and containerlab runs their commands later.
  void merge(Node& node) {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
      const MapReader& map = **layer;
      const auto exec = map.texts("exec");
      node.exec.insert(node.exec.end(), exec.begin(), exec.end());
      const auto files = map.texts("env-files");
      node.env_files.insert(node.env_files.end(), files.begin(), files.end());
      for (const auto& [key, value] : map.text_map("env")) node.env[key] = value;
      for (const auto& [key, value] : map.text_map("sysctls")) node.sysctls[key] = value;
      for (const auto& [path, options] : read_tmpfs(map)) node.tmpfs[path] = options;
      for (const std::string& bind : map.texts("binds")) {
        std::erase_if(node.binds, [&](const std::string& old) {
          return bind_destination(old) == bind_destination(bind);
        });
        node.binds.push_back(bind);
        check_bind(bind, map);
      }
    }
  }

  static void check_bind(const std::string& bind, const MapReader& map) {
    const auto parts = std::ranges::count(bind, ':');
    if (parts < 1 || parts > 2 || bind_destination(bind).empty() ||
        bind_destination(bind).front() != '/')
      map.error("binds", "\"" + bind.substr(0, 80) + "\" must be SOURCE:/DESTINATION[:ro]");
  }

  static std::map<std::string, std::string> read_tmpfs(const MapReader& map) {
    auto out = map.text_map("tmpfs");
    for (const auto& [path, options] : out) {
      if (!path.starts_with("/") || path.size() < 2)
        map.error("tmpfs", "\"" + path.substr(0, 80) + "\" must be an absolute path below /");
    }
    return out;
  }

  void read_runtime(Node& node, const MapReader& own) {
    const Runtime runtime = runtime_of(node);
    warn_of_ignored(own, runtime, diagnostics_);
    if (runtime == Runtime::docker) {
      any_container_ = true;
      node.container =
          read_container(own, [this](std::string_view key) { return level(key); }, diagnostics_);
    } else {
      node.command = text("entrypoint");
      const std::string command = text("cmd");
      if (!command.empty()) node.command += (node.command.empty() ? "" : " ") + command;
    }
    node.hostname = text("hostname");
    if (node.hostname.size() > 64) level("hostname")->error("hostname", "longer than 64 bytes");
    node.user = text("user");
    if (const MapReader* map = level("startup-delay"))
      node.startup_delay =
          std::chrono::seconds(map->integer("startup-delay", {0, 3600}).value_or(0));
    read_limits(node);
    if (const MapReader* map = level("dns")) {
      const MapReader dns(*map->find("dns"), map->path_of("dns"), keys::kDns, diagnostics_);
      node.dns = {.servers = dns.texts("servers"),
                  .search = dns.texts("search"),
                  .options = dns.texts("options")};
      for (const std::string& server : node.dns.servers) {
        if (!IpAddr::parse(server)) dns.error("servers", "must be addresses, such as 10.0.0.1");
      }
    }
  }

  Runtime runtime_of(const Node& node) const {
    if (node.kind != NodeKind::linux) return Runtime::netns;
    const MapReader* map = level("runtime");
    return map ? read_runtime_name(*map).value_or(runtime_) : runtime_;
  }

  void read_limits(Node& node) const {
    if (const MapReader* map = level("cpu")) {
      const std::string value = map->text("cpu").value_or("");
      const auto [stop, ec] =
          std::from_chars(value.data(), value.data() + value.size(), node.limits.cpu);
      if (ec != std::errc() || stop != value.data() + value.size() ||
          !(node.limits.cpu >= 0.01 && node.limits.cpu <= 4096))
        map->error("cpu", "must be a number of cores, such as 1.5");
    }
    if (const MapReader* map = level("memory")) {
      const auto bytes = parse_bytes(map->text("memory").value_or(""));
      if (!bytes) map->error("memory", "must be a size, such as 512MB or 1Gb");
      node.limits.memory = bytes.value_or(0);
    }
    if (const MapReader* map = level("cpu-set")) {
      node.limits.cpu_set = map->text("cpu-set").value_or("");
      if (node.limits.cpu_set.empty() ||
          node.limits.cpu_set.find_first_not_of("0123456789,-") != std::string::npos)
        map->error("cpu-set", "must be cores, such as 0-1,4");
    }
  }

  void read_network(Node& node) {
    if (const MapReader* map = level("underlay")) set_underlay(*map, node);
    const auto address = [&](std::string_view key, bool v4) -> std::optional<IpAddr> {
      const MapReader* map = level(key);
      if (!map) return std::nullopt;
      const auto parsed = IpAddr::parse(map->text(key).value_or(""));
      if (parsed && parsed->is_v4() == v4) return *parsed;
      map->error(key, v4 ? "must be an IPv4 address, such as 172.20.20.5"
                         : "must be an IPv6 address, such as 3fff:172:20:20::5");
      return std::nullopt;
    };
    node.mgmt_ipv4 = address("mgmt-ipv4", true);
    node.mgmt_ipv6 = address("mgmt-ipv6", false);
    node.mgmt = node.kind == NodeKind::linux && !node.underlay;
    if (const MapReader* map = level("network-mode")) set_network_mode(*map, node);
  }

  void read_impair(Node& node, const MapReader& own) const {
    const MapReader* map = level("impair");
    if (!map) return;
    node.impair = read_impairment(*map->find("impair"), map->path_of("impair"), diagnostics_);
    if (own.find("impair") && !node.underlay)
      own.error("impair",
                "is of a node's link to the underlay, which it has with `underlay: true`; other "
                "links have theirs under topology.links");
  }

  void set_underlay(const MapReader& map, Node& node) {
    const std::string value = map.text("underlay").value_or("");
    if (value == "true") {
      node.underlay = IpAddr{};  // chosen by check_lab
    } else if (const auto address = IpAddr::parse(value); address && address->is_v4()) {
      node.underlay = *address;
    } else if (value != "false") {
      map.error("underlay", "must be true, false or an IPv4 address of the underlay");
    }
  }

  static void set_network_mode(const MapReader& map, Node& node) {
    const std::string mode = map.text("network-mode").value_or("");
    constexpr std::string_view kShare = "container:";
    if (mode == "bridge") return;
    node.mgmt = false;
    if (mode == "none") return;
    if (mode == "host" && node.container) {
      map.error("network-mode", "host: a container of a lab has a network of its own; use none");
    } else if (mode == "host" && node.kind == NodeKind::linux) {
      node.kind = NodeKind::host;
    } else if (mode.starts_with(kShare) && mode.size() > kShare.size()) {
      node.shares = mode.substr(kShare.size());
    } else {
      map.error("network-mode",
                "must be bridge, none, host or container:NODE, not \"" + mode.substr(0, 40) + "\"");
    }
  }

  void read_stages(Node& node) const {
    if (const MapReader* map = level("healthcheck"))
      node.healthcheck =
          read_healthcheck(*map->find("healthcheck"), map->path_of("healthcheck"), diagnostics_);
    const MapReader* map = level("stages");
    if (!map) return;
    const MapReader stages(*map->find("stages"), map->path_of("stages"), keys::kStages,
                           diagnostics_);
    for (std::size_t i = 0; i < stages::kStages; ++i)
      node.stages[i] = read_stage(stages, stages::kNames[i], diagnostics_);
  }

  static void fill_names(Node& node) {
    const auto fill = [&](std::string& text) { replace_all(text, "__clabNodeName__", node.name); };
    std::ranges::for_each(node.exec, fill);
    std::ranges::for_each(node.binds, fill);
    std::ranges::for_each(node.env_files, fill);
    fill(node.command);
    if (node.container) {
      std::ranges::for_each(node.container->entrypoint, fill);
      std::ranges::for_each(node.container->command, fill);
    }
    fill(node.hostname);
    for (auto& [key, value] : node.env) fill(value);
    for (StageRules& stage : node.stages) {
      for (StageCommand& command : stage.exec) fill(command.command);
    }
  }

  Diagnostics& diagnostics_;
  const Runtime runtime_;  // of nodes that say nothing of it
  bool any_container_ = false;
  const Layers kinds_;
  const Layers groups_;
  std::optional<MapReader> defaults_;
  std::vector<const MapReader*> layers_;  // of the node that is read, most specific first
};

}  // namespace

void read_nodes(const MapReader& topology, Runtime runtime, Lab& lab, Diagnostics& diagnostics) {
  NodeReader reader(topology, runtime, diagnostics);
  const YamlNode* nodes = topology.find("nodes");
  if (!nodes) return;
  if (nodes->kind != YamlNode::Kind::map) topology.error("nodes", "must be a map of node names");
  for (const YamlNode::Entry& entry : nodes->entries) {
    if (!is_name(entry.key))
      topology.error("nodes", "\"" + entry.key.substr(0, 80) +
                                  "\" is no node name: 1 to 63 letters, "
                                  "digits, -, _ or ., starting with a letter or digit");
    lab.nodes.push_back(reader.read(entry));
  }
  reader.warn_of_shared();
}

}  // namespace heddle::format
