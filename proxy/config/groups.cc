#include <algorithm>
#include <charconv>
#include <set>

#include "proxy/config/sections.h"

namespace heddle::config {
namespace {

using yaml::MapReader;
using yaml::YamlNode;

constexpr auto kProtocols = std::to_array<std::string_view>({"http1", "tcp"});
constexpr auto kBalances = std::to_array<std::string_view>({"round-robin", "least-request"});

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
    if (const auto time = positive(map, "connect-timeout")) group_.connect_timeout = *time;
    if (const auto time = positive(map, "request-timeout")) group_.request_timeout = *time;
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
    map.error("protocol", "\"" + text->substr(0, 40) + "\" is no protocol" +
                              yaml::suggestion(*text, kProtocols));
  }

  void read_balance(const MapReader& map) {
    const auto text = map.text("balance");
    if (!text || *text == "round-robin") return;
    if (*text == "least-request") {
      group_.algorithm = snapshot::Algorithm::least_request;
      return;
    }
    map.error("balance", "\"" + text->substr(0, 40) + "\" is no way to balance" +
                             yaml::suggestion(*text, kBalances));
  }

  void read_target(const YamlNode& node, const std::string& path) {
    std::optional<std::string> text;
    snapshot::Target target;
    if (node.kind == YamlNode::Kind::scalar) {
      text = node.scalar;
    } else {
      const MapReader map(node, path, keys::kTarget, reading_.diagnostics);
      text = map.text("address");
      if (!text) map.error("address", "is missing: ADDRESS:PORT or NAME:PORT");
      if (const auto weight = map.integer("weight", {1, kMostWeight})) {
        target.weight = static_cast<std::uint32_t>(*weight);
      }
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
