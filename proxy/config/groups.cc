#include <algorithm>
#include <charconv>
#include <set>

#include "proxy/config/sections.h"
#include "proxy/http/syntax.h"

namespace heddle::config {
namespace {

using yaml::MapReader;
using yaml::YamlNode;

constexpr auto kProtocols = std::to_array<std::string_view>({"http1", "http2", "tcp"});
constexpr std::pair<std::string_view, snapshot::Algorithm> kAlgorithms[] = {
    {"round-robin", snapshot::Algorithm::round_robin},
    {"least-request", snapshot::Algorithm::least_request},
    {"peak-ewma", snapshot::Algorithm::peak_ewma},
    {"random", snapshot::Algorithm::random},
    {"source-hash", snapshot::Algorithm::source_hash},
    {"ring-hash", snapshot::Algorithm::ring_hash},
    {"maglev", snapshot::Algorithm::maglev},
};
constexpr auto kHashWords = std::to_array<std::string_view>({"source", "host", "path"});
constexpr std::int64_t kMostLevel = 127;  // of a target's priority

constexpr std::chrono::seconds kDeregistration{300};

// RFC 1123's names, with underscores, which are in use.
bool is_host_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253 || text.starts_with('.') || text.starts_with('-')) {
    return false;
  }
  bool letter = false;
  for (const char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    letter |= is_letter;
    if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.') return false;
  }
  // What is all digits and dots was meant to be an address.
  return letter && text.find("..") == std::string_view::npos;
}

// The target's port, and its address or name.
bool read_address(std::string_view text, snapshot::Target& target, std::string& host) {
  if (const auto address = SocketAddr::parse(text); address && address->port != 0) {
    target.address = *address;
    target.id = address->format();
    return true;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_host_name(text.substr(0, colon))) return false;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, ec] =
      std::from_chars(digits.data(), digits.data() + digits.size(), target.address.port);
  if (ec != std::errc() || end != digits.data() + digits.size() || target.address.port == 0) {
    return false;
  }
  host = text.substr(0, colon);
  return true;
}

class GroupReader {
 public:
  GroupReader(Reading& reading, snapshot::TargetGroup& group, std::string path)
      : reading_(reading), group_(group), path_(std::move(path)) {}

  void read(const YamlNode& node) {
    const MapReader map(node, path_, keys::kGroup, reading_.diagnostics);
    read_protocol(map);
    read_balance(map);
    read_prefer(map);
    if (const auto time = positive(map, "connect-timeout")) group_.connect_timeout = *time;
    if (const auto time = positive(map, "request-timeout")) group_.request_timeout = *time;
    if (const YamlNode* limits = map.find("limits")) {
      group_.limits = read_limits(reading_, *limits, map.path_of("limits"));
    }
    read_resilience(reading_, map, group_);
    group_.deregistration_delay = map.duration("deregistration-delay").value_or(kDeregistration);
    const YamlNode* targets = map.find("targets");
    if (!targets || targets->kind != YamlNode::Kind::list || targets->items.empty()) {
      map.error("targets", "must be a list of ADDRESS:PORT with at least one item");
      return;
    }
    for (std::size_t i = 0; i < targets->items.size(); ++i) {
      read_target(targets->items[i], map.path_of("targets") + "[" + std::to_string(i) + "]");
    }
  }

 private:
  static std::optional<std::chrono::milliseconds> positive(const MapReader& map,
                                                           std::string_view key) {
    const auto time = map.duration(key);
    if (!time || *time > std::chrono::milliseconds(0)) return time;
    map.error(key, "must be more than 0");
    return std::nullopt;
  }

  void read_protocol(const MapReader& map) {
    group_.protocol = snapshot::Protocol::http1;
    const auto text = map.text("protocol");
    if (!text || *text == "http1") return;
    if (*text == "tcp") {
      group_.protocol = snapshot::Protocol::tcp;
      return;
    }
    if (*text == "http2") {
      group_.protocol = snapshot::Protocol::http2;
      return;
    }
    map.error("protocol", "\"" + text->substr(0, 40) + "\" is no protocol" +
                              yaml::suggestion(*text, kProtocols));
  }

  void read_balance(const MapReader& map) {
    if (const auto text = map.text("balance")) {
      std::vector<std::string_view> names;
      bool known = false;
      for (const auto& [name, algorithm] : kAlgorithms) {
        names.push_back(name);
        if (*text != name) continue;
        group_.algorithm = algorithm;
        known = true;
      }
      if (!known) {
        map.error("balance", "\"" + text->substr(0, 40) + "\" is no way to balance" +
                                 yaml::suggestion(*text, names));
      }
    }
    read_hash_by(map);
    if (const YamlNode* sticky = map.find("sticky")) {
      group_.sticky = read_sticky(reading_, *sticky, map.path_of("sticky"));
      if (group_.protocol == snapshot::Protocol::tcp) {
        map.error("sticky", "needs cookies, which tcp has not: balance by source-hash");
      }
    }
    if (const auto time = map.duration("slow-start")) group_.slow_start = *time;
    if (map.find("panic-threshold")) {
      group_.panic_threshold = read_share(map, "panic-threshold").value_or(0) / 1e6;
    }
  }

  void read_hash_by(const MapReader& map) {
    const YamlNode* node = map.find("hash-by");
    if (!node) return;
    using Of = snapshot::HashBy::Of;
    if (!snapshot::hashes(group_.algorithm)) {
      map.error("hash-by", "acts with balance: source-hash, ring-hash or maglev alone");
    }
    if (node->kind == YamlNode::Kind::map && node->entries.size() == 1) {
      const MapReader one(*node, map.path_of("hash-by"), keys::kHashBy, reading_.diagnostics);
      const std::string& key = node->entries.front().key;
      group_.hash_by = {key == "cookie" ? Of::cookie : Of::header, one.text(key).value_or("")};
      if (!http::is_token(group_.hash_by.name)) one.error(key, "must be a name");
      if (group_.protocol == snapshot::Protocol::tcp) one.error(key, "tcp has only `source`");
      return;
    }
    const std::string text = map.text("hash-by").value_or("");
    if (text == "source") return;
    group_.hash_by.of = text == "host" ? Of::host : Of::path;
    if (text != "host" && text != "path") {
      map.error("hash-by", "must be source, host, path, {header: NAME} or {cookie: NAME}" +
                               yaml::suggestion(text, kHashWords));
    } else if (group_.protocol == snapshot::Protocol::tcp) {
      map.error("hash-by", "tcp has only `source`");
    }
  }

  void read_prefer(const MapReader& map) {
    const auto text = map.text("prefer");
    if (!text) return;
    if (*text != "node" && *text != "zone") {
      map.error("prefer", "must be node (this node, then this zone, then the rest) or zone");
      return;
    }
    if (reading_.zone.empty() || (*text == "node" && reading_.node.empty())) {
      map.error("prefer", "needs `locality` to say where this proxy is");
    }
    prefers_node_ = *text == "node";
    prefers_zone_ = true;
  }

  // Priorities first, then how near the target is.
  std::uint32_t level_of(std::int64_t priority, std::string_view node,
                         std::string_view zone) const {
    std::uint32_t distance = 0;
    if (prefers_zone_ && zone != reading_.zone) distance = 2;
    if (prefers_node_ && distance == 0 && node != reading_.node) distance = 1;
    return static_cast<std::uint32_t>(priority) * 3 + distance;
  }

  void read_target(const YamlNode& node, const std::string& path) {
    std::optional<std::string> text;
    snapshot::Target target;
    if (node.kind == YamlNode::Kind::scalar) {
      text = node.scalar;
      target.level = level_of(0, "", "");
    } else {
      const MapReader map(node, path, keys::kTarget, reading_.diagnostics);
      text = map.text("address");
      if (!text) map.error("address", "is missing: ADDRESS:PORT or NAME:PORT");
      if (const auto weight = map.integer("weight", {1, kMostWeight})) {
        target.weight = static_cast<std::uint32_t>(*weight);
      }
      target.node = map.text("node").value_or("");
      const auto priority = map.integer("priority", {0, kMostLevel}).value_or(0);
      target.level = level_of(priority, target.node, map.text("zone").value_or(""));
    }
    if (!text) return;
    std::string host;
    if (!read_address(*text, target, host)) {
      reading_.diagnostics.error(node.mark, path,
                                 "must be ADDRESS:PORT or NAME:PORT, such as 10.0.0.5:8080, "
                                 "[fd00::5]:8080 or app.internal:8080, not \"" +
                                     text->substr(0, 60) + "\"");
      return;
    }
    if (!seen_.insert(host.empty() ? target.id : host + ":" + std::to_string(target.address.port))
             .second) {
      reading_.diagnostics.error(node.mark, path, "\"" + *text + "\" stands twice in the group");
      return;
    }
    if (host.empty()) {
      group_.targets.push_back(std::move(target));
    } else {
      reading_.edge.names.push_back({group_.name, host, std::move(target)});
    }
  }

  Reading& reading_;
  snapshot::TargetGroup& group_;
  const std::string path_;
  std::set<std::string> seen_;
  bool prefers_node_ = false;
  bool prefers_zone_ = false;
};

}  // namespace

void read_groups(Reading& reading, const YamlNode& node) {
  if (node.kind != YamlNode::Kind::map) {
    reading.diagnostics.error(node.mark, "target-groups", "must be a map of groups by name");
    return;
  }
  for (const YamlNode::Entry& entry : node.entries) {
    const std::string path = "target-groups." + entry.key.substr(0, 63);
    if (!yaml::is_name(entry.key)) {
      reading.diagnostics.error(entry.mark, path,
                                "a name is a letter or digit, then letters, digits, -, _ and .");
      continue;
    }
    snapshot::TargetGroup group;
    group.name = group.service = entry.key;
    GroupReader(reading, group, path).read(entry.value);
    reading.edge.snapshot.groups.push_back(std::move(group));
  }
}

}  // namespace heddle::config
