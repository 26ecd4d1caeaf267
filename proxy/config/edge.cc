#include "proxy/config/edge.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/unique_fd.h"
#include "proxy/config/sections.h"

namespace heddle::config {
namespace {

using yaml::MapReader;
using yaml::YamlNode;

void read_admin(Reading& reading, const YamlNode& node) {
  const MapReader map(node, "admin", keys::kAdmin, reading.diagnostics);
  if (const auto bind = map.text("bind")) {
    const auto address = SocketAddr::parse(*bind);
    if (address) {
      reading.edge.admin_bind = *address;
    } else {
      map.error("bind", "must be ADDRESS:PORT, such as 127.0.0.1:9901, not \"" +
                            bind->substr(0, 60) + "\"");
    }
  }
  if (const auto socket = map.text("socket")) {
    constexpr std::size_t kMaxPath = 107;  // sun_path
    if (socket->starts_with('/') && socket->size() <= kMaxPath) {
      reading.edge.admin_socket = *socket;
    } else {
      map.error("socket", "must be an absolute path of at most 107 bytes");
    }
  }
}

void read_access_log(Reading& reading, const YamlNode& node) {
  telemetry::AccessLog::Settings out;
  const MapReader map(node, "access-log", keys::kAccessLog, reading.diagnostics);
  out.where = map.text("to").value_or("");
  if (out.where.empty()) map.error("to", "must be a path, - or none");
  out.format = map.text("format").value_or(out.format);
  if (const auto format = telemetry::AccessFormat::parse(out.format); !format) {
    map.error("format", format.error().text());
  }
  out.sample = static_cast<std::uint32_t>(map.integer("sample", {1, 1'000'000}).value_or(1));
  reading.edge.access_log = out;
}

void check_references(Reading& reading) {
  std::vector<std::string_view> names;
  for (const auto& group : reading.edge.snapshot.groups) names.push_back(group.name);
  for (const Reading::Reference& reference : reading.references) {
    if (std::ranges::find(names, reference.group) != names.end()) continue;
    reading.diagnostics.error(reference.mark, reference.path,
                              "no target group is called \"" + reference.group.substr(0, 63) +
                                  "\"" + yaml::suggestion(reference.group, names));
  }
}

}  // namespace

std::string plain_text(const MapReader& map, std::string_view key, std::size_t most) {
  auto text = map.text(key);
  if (!text) return "";
  const bool plain =
      std::ranges::all_of(*text, [](unsigned char c) { return c >= ' ' && c != 0x7f; });
  if (plain && text->size() <= most) return *std::move(text);
  map.error(key, "must be at most " + std::to_string(most) + " bytes without control characters");
  return "";
}

Result<Edge> parse_edge(std::string_view text, const std::string& file) {
  TRY(const YamlNode root, yaml::parse_yaml(text, file));
  Reading reading(file);
  const MapReader map(root, "", keys::kFile, reading.diagnostics);
  if (const YamlNode* locality = map.find("locality")) {
    const MapReader one(*locality, "locality", keys::kLocality, reading.diagnostics);
    reading.node = one.text("node").value_or("");
    reading.zone = one.text("zone").value_or("");
  }
  if (const YamlNode* groups = map.find("target-groups")) read_groups(reading, *groups);
  if (const YamlNode* listeners = map.find("listeners")) read_listeners(reading, *listeners);
  if (const YamlNode* limits = map.find("limits")) {
    reading.edge.limits = read_limits(reading, *limits, "limits");
  }
  if (const YamlNode* log = map.find("access-log")) read_access_log(reading, *log);
  if (const YamlNode* admin = map.find("admin")) read_admin(reading, *admin);
  if (const auto every = map.duration("resolve-every")) {
    if (*every < std::chrono::seconds(1)) map.error("resolve-every", "must be at least 1s");
    reading.edge.resolve_every = *every;
  }
  check_references(reading);
  if (!reading.diagnostics.failed() && reading.edge.snapshot.listeners.empty()) {
    map.error("listeners", "a configuration needs at least one listener");
  }
  if (reading.diagnostics.failed()) return std::unexpected(reading.diagnostics.as_error());
  return std::move(reading.edge);
}

Result<Edge> load_edge(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "read " + path);
  std::string text;
  char bytes[65536];
  while (text.size() <= yaml::kMaxFileBytes) {
    const ssize_t n = ::read(fd.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read " + path);
    if (n == 0) break;
    text.append(bytes, static_cast<std::size_t>(n));
  }
  return parse_edge(text, path);
}

snapshot::Snapshot resolved(const Edge& edge, const Addresses& addresses) {
  snapshot::Snapshot out = edge.snapshot;
  std::map<std::string_view, snapshot::TargetGroup*> groups;
  for (auto& group : out.groups) groups[group.name] = &group;
  for (const NamedTarget& named : edge.names) {
    const auto found = addresses.find(named.host);
    if (found == addresses.end()) continue;
    auto& targets = groups.at(named.group)->targets;
    for (const IpAddr& address : found->second) {
      snapshot::Target target = named.like;
      target.address.address = address;
      target.id = target.address.format();
      const bool known = std::ranges::any_of(
          targets, [&](const snapshot::Target& other) { return other.id == target.id; });
      if (!known) targets.push_back(std::move(target));
    }
  }
  return out;
}

}  // namespace heddle::config
