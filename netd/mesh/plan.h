#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "netd/mesh/catalog.h"
#include "netd/mesh/config.h"
#include "netd/model/view.h"

namespace heddle::mesh {

struct SidecarPorts {
  std::uint16_t outbound = 15001;
  std::uint16_t inbound = 15006;
};

// A listening socket that a proxy is handed.
struct SocketPlan {
  enum class Where { sandbox, host };
  std::string name;  // in the proxy's list, and the end of its name at the Keeper
  Where where = Where::sandbox;
  SocketAddr address;
  friend bool operator==(const SocketPlan&, const SocketPlan&) = default;
};

// A group that rules name, known before any connection.
struct FixedGroup {
  GroupRef ref;
  Algorithm algorithm = Algorithm::round_robin;
  friend bool operator==(const FixedGroup&, const FixedGroup&) = default;
};

// One proxy of this node.
struct ProxyPlan {
  model::Id id;      // of its workload
  std::string name;  // of its workload, for messages
  std::string sandbox;
  std::vector<SocketPlan> sockets;
  std::vector<Listener> listeners;
  std::map<std::string, FixedGroup> groups;  // by name
  std::set<model::Id> networks;              // whose VIPs it may be asked for
  friend bool operator==(const ProxyPlan&, const ProxyPlan&) = default;
};

// The proxies that a view wants here. Pure.
std::map<model::Id, ProxyPlan> plan_proxies(const model::View& view, const SidecarPorts& ports);

Protocol protocol_of(model::AppProtocol protocol);

// `0.0.0.0-80`, `::1-80`: an address as a socket's name (netd/holder/keeper.h has the alphabet).
std::string socket_name(const SocketAddr& address);

}  // namespace heddle::mesh
