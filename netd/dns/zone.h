#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "netd/model/index.h"
#include "netd/model/view.h"

// The names that workloads can ask for, as values. Pure; threads: any (immutable once built).
namespace heddle::dns {

inline constexpr std::string_view kDomain = "heddle.internal";

struct Srv {
  std::uint16_t port = 0;
  std::uint16_t weight = 0;
  std::string target;  // within the network: "web", "ip-10-40-0-5"
};

// What one name leads to. No addresses and no services: the name exists, nothing usable is behind
// it.
struct Entry {
  enum class Kind {
    service,
    reachable,    // workloads on nodes that answer
    unreachable,  // workloads, none of which is
    between,      // exists only because names below it do (RFC 8020)
  };
  Kind kind = Kind::service;
  std::vector<IpAddr> addresses;  // sorted
  std::vector<Srv> services;
};

// The names of one network, without its own: `c1`, aliases, `web`, `tasks.web`, `_http._tcp.web`,
// `_http._tcp.tasks.web`, `ip-10-40-0-5` (endpoints of services); and from addresses back to names.
// A service hides a workload of the same name.
class NetworkNames final {
 public:
  using Endpoints = std::vector<const model::Endpoint*>;

  NetworkNames() = default;
  // `endpoints`: those of the network that are not gone.
  NetworkNames(const model::View& view, const model::Network& network, const Endpoints& endpoints);

  const std::string& network() const { return network_; }
  const Entry* find(std::string_view name) const;
  // The name of an address within the network; null when nobody has it.
  const std::string* reverse(const IpAddr& address) const;
  // The subnet that holds the address.
  const Prefix* subnet_of(const IpAddr& address) const;

 private:
  void add_service(const model::Service& service, const Endpoints& backends);
  void add_ports(const model::ServicePort& port, bool only_tcp_port, const model::Service& service,
                 const Endpoints& backends);
  void add_workload(const model::Endpoint& endpoint, Entry::Kind kind);
  void add_between(const std::string& name);

  std::string network_;
  std::vector<Prefix> subnets_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>()(name);
    }
  };
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> names_;
  std::map<IpAddr, std::string> reverse_;
};

// The names of one network as a view tells them: sorted out when somebody first asks after a
// change, so that a change costs nothing here. Threads: any.
class CurrentNames final {
 public:
  CurrentNames(model::Id network, std::shared_ptr<const model::View> view);
  CurrentNames(const CurrentNames&) = delete;
  CurrentNames& operator=(const CurrentNames&) = delete;

  void set(std::shared_ptr<const model::View> view);
  // Never null. A network that the view does not have has no names.
  std::shared_ptr<const NetworkNames> get() const;
  // The network's name, which does not change; "" when the view had no such network.
  const std::string& network() const { return name_; }

 private:
  const model::Id network_;
  const std::string name_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const model::View> next_;  // not sorted yet
  mutable std::shared_ptr<const NetworkNames> names_;
};

// Who asks, and thus what there is for them.
enum class Audience {
  // Names bare, with their network, or fully qualified; others are forwarded.
  workload,
  // The host itself: fully qualified names alone; services are their backends, because VIPs lead
  // somewhere inside workloads only. Others are refused: the host has its own resolvers.
  host,
  // The same, but others are forwarded: the only resolver of a host.
  whole_host,
};

// What one workload can resolve: the networks it is attached to, first attached first; or the host,
// all networks of its node.
class Zone final {
 public:
  explicit Zone(std::vector<std::shared_ptr<const CurrentNames>> networks = {},
                Audience audience = Audience::workload)
      : networks_(std::move(networks)), audience_(audience) {}

  Audience audience() const { return audience_; }

  struct Found {
    std::shared_ptr<const NetworkNames> network;
    const Entry* entry;  // of the network, or of all
  };
  enum class Outcome { found, absent, foreign };
  // `absent`: the name is in our domain (or in a subnet of ours, for PTR) and does not exist.
  // `foreign`: somebody else's to answer. `name` as in Query::name.
  Outcome find(std::string_view name, Found& found) const;

  struct Reverse {
    Outcome outcome;
    std::string target;  // fully qualified
    std::string apex;    // of the reverse zone, for negative answers
  };
  // For names under in-addr.arpa and ip6.arpa.
  Reverse find_reverse(std::string_view name) const;

 private:
  const Entry* find_in(const NetworkNames& network, std::string_view name) const;

  std::vector<std::shared_ptr<const CurrentNames>> networks_;
  Audience audience_;
};

// `web.app.heddle.internal`
std::string qualified(std::string_view name, std::string_view network);

// 4.3.2.1.in-addr.arpa -> 1.2.3.4; nothing for other names, and for parts of an address.
std::optional<IpAddr> parse_reverse(std::string_view name);

// The networks of a workload of this node, first attached first. `index` is the view's.
std::vector<model::Id> attached_networks(const model::View& view, const model::Index& index,
                                         const model::Id& workload);

Zone build_zone(const model::View& view, const model::Id& workload);

// One zone for each workload of this node that has an endpoint; networks are shared among them.
std::map<model::Id, std::shared_ptr<const Zone>> build_zones(const model::View& view);

}  // namespace heddle::dns
