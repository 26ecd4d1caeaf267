#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/net/ip.h"

// What the proxy is configured with, as values: listener -> rule -> target group -> target.
// Everything here was validated by decode.h.
namespace heddle::snapshot {

using std::chrono::milliseconds;

enum class ListenerKind { http, tcp, outbound, inbound };
enum class Protocol { detect, tcp, http1, http2 };
enum class Algorithm { round_robin, least_request };
enum class TargetState { ready, draining, gone };

struct StringMatch {
  enum class How { exact, prefix, suffix };
  How how = How::exact;
  std::string text;
  friend bool operator==(const StringMatch&, const StringMatch&) = default;
};

struct Condition {
  enum class Of { host, path, method, header };
  Of of = Of::path;
  std::string header;  // lower case, for `header`
  StringMatch match;
  friend bool operator==(const Condition&, const Condition&) = default;
};

struct WeightedGroup {
  std::string group;
  std::uint32_t weight = 1;
  friend bool operator==(const WeightedGroup&, const WeightedGroup&) = default;
};
struct Forward {
  std::vector<WeightedGroup> groups;  // not empty; some weight > 0
  friend bool operator==(const Forward&, const Forward&) = default;
};
struct FixedResponse {
  int status = 404;
  std::string content_type;
  std::string body;
  friend bool operator==(const FixedResponse&, const FixedResponse&) = default;
};
struct Redirect {
  int status = 302;
  std::string location;
  friend bool operator==(const Redirect&, const Redirect&) = default;
};
using Action = std::variant<Forward, FixedResponse, Redirect>;

struct Rule {
  std::uint32_t priority = 0;
  std::vector<Condition> conditions;  // all must hold
  Action action;
  friend bool operator==(const Rule&, const Rule&) = default;
};

struct InboundPort {
  std::uint16_t port = 0;
  Protocol protocol = Protocol::detect;
  std::string service;  // metric label
  friend bool operator==(const InboundPort&, const InboundPort&) = default;
};

struct Listener {
  std::string name;  // unique
  ListenerKind kind = ListenerKind::http;
  std::string socket;
  std::vector<Rule> rules;  // by priority, lowest first
  std::optional<Action> default_action;
  std::vector<InboundPort> inbound_ports;  // by port
  std::optional<milliseconds> idle_timeout;
  std::optional<milliseconds> header_timeout;
  friend bool operator==(const Listener&, const Listener&) = default;
};

struct Target {
  std::string id;  // unique in its group
  SocketAddr address;
  std::uint32_t weight = 1;
  TargetState state = TargetState::ready;
  std::string node;
  friend bool operator==(const Target&, const Target&) = default;
};

struct TargetGroup {
  std::string name;
  Protocol protocol = Protocol::detect;
  Algorithm algorithm = Algorithm::round_robin;
  std::vector<Target> targets;
  milliseconds connect_timeout{1000};
  milliseconds request_timeout{30000};
  std::string service;  // metric label; the group's name when the message has none
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};

struct Snapshot {
  std::uint64_t revision = 0;
  std::vector<Listener> listeners;
  std::vector<TargetGroup> groups;
};

struct GroupRemoved {
  std::string name;
};

// The group that serves an original destination; empty: pass the connection through.
struct Resolved {
  SocketAddr destination;
  std::string group;
};

using ConfigMessage = std::variant<Snapshot, TargetGroup, GroupRemoved, Resolved>;

}  // namespace heddle::snapshot
