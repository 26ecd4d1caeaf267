#include "proxy/control/describe.h"

#include "proxy/control/subscription.h"

namespace heddle::control {
namespace {

std::string_view name_of(snapshot::ListenerKind kind) {
  switch (kind) {
    case snapshot::ListenerKind::http:
      return "http";
    case snapshot::ListenerKind::tcp:
      return "tcp";
    case snapshot::ListenerKind::outbound:
      return "outbound";
    case snapshot::ListenerKind::inbound:
      return "inbound";
  }
  return "";
}

std::string_view name_of(snapshot::TargetState state) {
  switch (state) {
    case snapshot::TargetState::ready:
      return "ready";
    case snapshot::TargetState::draining:
      return "draining";
    case snapshot::TargetState::gone:
      return "gone";
  }
  return "";
}

std::string describe_group(const snapshot::TargetGroup& group) {
  std::string out = "{\"name\":" + quoted_json(group.name) +
                    ",\"service\":" + quoted_json(group.service) + ",\"targets\":[";
  for (const snapshot::Target& target : group.targets) {
    if (!out.ends_with('[')) out += ',';
    out += "{\"id\":" + quoted_json(target.id) +
           ",\"address\":" + quoted_json(target.address.format()) +
           ",\"weight\":" + std::to_string(target.weight) +
           ",\"state\":" + quoted_json(name_of(target.state)) + "}";
  }
  return out + "]}";
}

}  // namespace

std::string quoted_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string Subscription::describe() const {
  return describe_config("\"id\":" + quoted_json(options_.proxy_id) +
                             ",\"revision\":" + std::to_string(revision_) +
                             ",\"control_connected\":" + (connected_ ? "true" : "false"),
                         store_);
}

std::string describe_config(std::string_view head, const ConfigStore& store) {
  std::string out = "{" + std::string(head) + ",\"listeners\":[";
  if (const auto* listeners = store.listeners()) {
    for (const snapshot::Listener& listener : *listeners) {
      if (!out.ends_with('[')) out += ',';
      out += "{\"name\":" + quoted_json(listener.name) +
             ",\"kind\":" + quoted_json(name_of(listener.kind)) +
             ",\"socket\":" + quoted_json(listener.socket) +
             ",\"rules\":" + std::to_string(listener.rules.size()) + "}";
    }
  }
  out += "],\"target_groups\":[";
  for (const auto& [name, group] : store.groups()) {
    if (!out.ends_with('[')) out += ',';
    out += describe_group(*group);
  }
  out += "],\"destinations\":{";
  for (const auto& [address, group] : store.destinations()) {
    if (!out.ends_with('{')) out += ',';
    out += quoted_json(address.format()) + ":" + quoted_json(group);
  }
  return out + "}}\n";
}

}  // namespace heddle::control
