// What is in force, as JSON for people (`/config`).
#include "proxy/control/subscription.h"

namespace heddle::control {
namespace {

// Names were checked to be free of control characters; quotes may stand in them.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

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
  std::string out = "{\"name\":" + quoted(group.name) + ",\"service\":" + quoted(group.service) +
                    ",\"targets\":[";
  for (const snapshot::Target& target : group.targets) {
    if (!out.ends_with('[')) out += ',';
    out += "{\"id\":" + quoted(target.id) + ",\"address\":" + quoted(target.address.format()) +
           ",\"weight\":" + std::to_string(target.weight) +
           ",\"state\":" + quoted(name_of(target.state)) + "}";
  }
  return out + "]}";
}

}  // namespace

std::string Subscription::describe() const {
  std::string out =
      "{\"id\":" + quoted(options_.proxy_id) + ",\"revision\":" + std::to_string(revision_) +
      ",\"control_connected\":" + (connected_ ? "true" : "false") + ",\"listeners\":[";
  if (const auto* listeners = store_.listeners()) {
    for (const snapshot::Listener& listener : *listeners) {
      if (!out.ends_with('[')) out += ',';
      out += "{\"name\":" + quoted(listener.name) + ",\"kind\":" + quoted(name_of(listener.kind)) +
             ",\"socket\":" + quoted(listener.socket) +
             ",\"rules\":" + std::to_string(listener.rules.size()) + "}";
    }
  }
  out += "],\"target_groups\":[";
  for (const auto& [name, group] : store_.groups()) {
    if (!out.ends_with('[')) out += ',';
    out += describe_group(*group);
  }
  out += "],\"destinations\":{";
  for (const auto& [address, group] : store_.destinations()) {
    if (!out.ends_with('{')) out += ',';
    out += quoted(address.format()) + ":" + quoted(group);
  }
  return out + "}}\n";
}

}  // namespace heddle::control
