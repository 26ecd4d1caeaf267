#include <algorithm>
#include <map>

#include "proxy/config/sections.h"

namespace heddle::config {
namespace {

using yaml::MapReader;
using yaml::YamlNode;

constexpr std::int64_t kMostPriority = 1'000'000;
constexpr auto kKinds = std::to_array<std::string_view>({"http", "tcp"});

void read_kind(const MapReader& map, snapshot::Listener& listener) {
  const auto text = map.text("kind");
  if (!text || *text == "http") return;
  if (*text == "tcp") {
    listener.kind = snapshot::ListenerKind::tcp;
    return;
  }
  map.error("kind", "\"" + text->substr(0, 40) + "\" is no kind of listener" +
                        yaml::suggestion(*text, kKinds));
}

void read_bind(Reading& reading, const MapReader& map, snapshot::Listener& listener) {
  const auto text = map.text("bind");
  const auto address = SocketAddr::parse(text.value_or(""));
  if (!address || address->port == 0) {
    map.error("bind", "must be ADDRESS:PORT, such as 0.0.0.0:80 or [::]:80" +
                          (text ? ", not \"" + text->substr(0, 60) + "\"" : std::string()));
    return;
  }
  listener.socket = address->format();
  for (const snapshot::Listener& other : reading.edge.snapshot.listeners) {
    if (other.socket == listener.socket) {
      map.error("bind", *text + " is bound by listener \"" + other.name + "\" already");
    }
  }
}

std::optional<std::chrono::milliseconds> read_timeout(const MapReader& map, std::string_view key) {
  const auto time = map.duration(key);
  if (!time || *time > std::chrono::milliseconds(0)) return time;
  map.error(key, "must be more than 0");
  return std::nullopt;
}

void read_rules(Reading& reading, const MapReader& map, snapshot::Listener& listener) {
  const YamlNode* rules = map.find("rules");
  if (!rules) return;
  if (rules->kind != YamlNode::Kind::list) {
    map.error("rules", "must be a list of rules");
    return;
  }
  std::map<std::uint32_t, std::string> priorities;
  std::int64_t next = 1;
  for (std::size_t i = 0; i < rules->items.size(); ++i) {
    const std::string path = map.path_of("rules") + "[" + std::to_string(i) + "]";
    const YamlNode& node = rules->items[i];
    const MapReader one(node, path, keys::kRule, reading.diagnostics);
    if (node.kind != YamlNode::Kind::map) continue;
    snapshot::Rule rule;
    const auto priority = one.integer("priority", {0, kMostPriority}).value_or(next);
    rule.priority = static_cast<std::uint32_t>(priority);
    next = priority + 1;
    const auto [taken, fresh] = priorities.try_emplace(rule.priority, path);
    if (!fresh) {
      one.error("priority", taken->second + " has the priority " + std::to_string(priority) +
                                " already: which of them is first?");
    }
    if (const YamlNode* when = one.find("when")) {
      rule.conditions = read_conditions(reading, *when, one.path_of("when"));
    } else {
      one.error("when", "is missing; what is to hold for all other requests is `default`");
    }
    if (auto action = read_action(reading, one)) rule.action = *std::move(action);
    rule.treatment = read_treatment(reading, one);
    listener.rules.push_back(std::move(rule));
  }
  std::ranges::stable_sort(listener.rules, {}, &snapshot::Rule::priority);
}

void read_listener(Reading& reading, const YamlNode& node, snapshot::Listener& listener) {
  const MapReader map(node, "listeners." + listener.name, keys::kListener, reading.diagnostics);
  read_kind(map, listener);
  read_bind(reading, map, listener);
  listener.idle_timeout = read_timeout(map, "idle-timeout");
  listener.header_timeout = read_timeout(map, "header-timeout");
  read_rules(reading, map, listener);
  if (const YamlNode* fallback = map.find("default")) {
    const MapReader one(*fallback, map.path_of("default"), keys::kDefault, reading.diagnostics);
    listener.default_action = read_action(reading, one);
    listener.default_treatment = read_treatment(reading, one);
  }
  if (listener.kind != snapshot::ListenerKind::tcp) {
    if (listener.rules.empty() && !listener.default_action) {
      map.error("default", "is missing: where do requests go?");
    }
    return;
  }
  if (!listener.rules.empty()) map.error("rules", "a tcp listener has none, only `default`");
  if (listener.header_timeout) map.error("header-timeout", "a tcp listener reads no headers");
  const bool forwards = listener.default_action &&
                        std::holds_alternative<snapshot::Forward>(*listener.default_action);
  if (!forwards || listener.default_treatment != snapshot::Treatment()) {
    map.error("default", "of a tcp listener must be `forward` alone");
  }
}

}  // namespace

void read_listeners(Reading& reading, const YamlNode& node) {
  if (node.kind != YamlNode::Kind::map) {
    reading.diagnostics.error(node.mark, "listeners", "must be a map of listeners by name");
    return;
  }
  for (const YamlNode::Entry& entry : node.entries) {
    snapshot::Listener listener;
    listener.name = entry.key;
    if (!yaml::is_name(entry.key)) {
      reading.diagnostics.error(entry.mark, "listeners." + entry.key.substr(0, 63),
                                "a name is a letter or digit, then letters, digits, -, _ and .");
      continue;
    }
    read_listener(reading, entry.value, listener);
    reading.edge.snapshot.listeners.push_back(std::move(listener));
  }
}

}  // namespace heddle::config
