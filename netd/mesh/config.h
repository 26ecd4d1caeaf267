#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/net/ip.h"

// What a proxy is told and what it answers, as plain values; netd/api/proxy.proto has the meaning
// of each field. translate.h turns them into messages.
namespace heddle::mesh {

enum class Protocol { automatic, tcp, http1, http2 };
enum class Algorithm { round_robin, least_request };
enum class TargetState { ready, draining, gone };
enum class ListenerKind { http, tcp, outbound, inbound };

struct Target {
  std::string id;
  SocketAddr address;
  std::uint32_t weight = 1;
  TargetState state = TargetState::ready;
  std::string node;
  friend bool operator==(const Target&, const Target&) = default;
};

struct TargetGroup {
  std::string name;
  Protocol protocol = Protocol::automatic;
  Algorithm algorithm = Algorithm::round_robin;
  std::vector<Target> targets;  // by endpoint id
  std::string service;          // metric label
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};

struct InboundPort {
  std::uint16_t port = 0;
  Protocol protocol = Protocol::automatic;
  std::string service;
  friend bool operator==(const InboundPort&, const InboundPort&) = default;
};

struct Rule {
  std::uint32_t priority = 0;
  std::string host;         // exact, or *.suffix; "" any
  std::string path_prefix;  // "" any
  std::string target_group;
  friend bool operator==(const Rule&, const Rule&) = default;
};

struct Listener {
  std::string name;
  ListenerKind kind = ListenerKind::http;
  std::string socket;
  std::vector<Rule> rules;
  std::string default_target_group;
  std::vector<InboundPort> inbound_ports;
  friend bool operator==(const Listener&, const Listener&) = default;
};

// heddled to proxy.
struct Snapshot {
  std::uint64_t revision = 0;
  std::vector<Listener> listeners;
  std::vector<TargetGroup> groups;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};
struct GroupRemoved {
  std::string name;
  friend bool operator==(const GroupRemoved&, const GroupRemoved&) = default;
};
struct Resolved {
  SocketAddr destination;
  std::string target_group;  // "": pass through
  friend bool operator==(const Resolved&, const Resolved&) = default;
};
using ConfigMessage = std::variant<Snapshot, TargetGroup, GroupRemoved, Resolved>;

// Proxy to heddled.
struct Hello {
  std::string proxy_id;
  std::string version;
  friend bool operator==(const Hello&, const Hello&) = default;
};
struct Resolve {
  SocketAddr destination;
  friend bool operator==(const Resolve&, const Resolve&) = default;
};
struct Release {
  std::string target_group;
  friend bool operator==(const Release&, const Release&) = default;
};
struct Ack {
  std::uint64_t revision = 0;
  std::string error;  // "" accepted
  friend bool operator==(const Ack&, const Ack&) = default;
};
using ProxyMessage = std::variant<Hello, Resolve, Release, Ack>;

}  // namespace heddle::mesh
