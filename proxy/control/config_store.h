#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proxy/control/destination_use.h"
#include "proxy/route/table.h"
#include "proxy/snapshot/config.h"

namespace heddle::control {

// Listening sockets by the names that listeners have for them.
using Sockets = std::map<std::string, std::shared_ptr<const UniqueFd>>;

// What the cores are told, in order. Values inside are immutable and shared by all cores.
struct ListenersChanged {
  std::uint64_t revision;
  std::shared_ptr<const std::vector<snapshot::Listener>> listeners;
  std::vector<std::shared_ptr<const route::Table>> tables;  // of the listeners, in their order
  std::shared_ptr<const Sockets> sockets;                   // those that the listeners name
};
struct GroupChanged {
  std::shared_ptr<const snapshot::TargetGroup> group;
};
struct GroupDropped {
  std::string name;
};
struct DestinationChanged {
  SocketAddr destination;
  std::string group;  // empty: pass through
  std::shared_ptr<DestinationUse> use;
};
struct DestinationDropped {
  SocketAddr destination;
};
struct ControlChanged {
  int connected;  // 1 while unknown destinations can be asked for
};
using ConfigEvent = std::variant<ListenersChanged, GroupChanged, GroupDropped, DestinationChanged,
                                 DestinationDropped, ControlChanged>;

// What heddled said so far, and which events follow from what it says next. No I/O, no clock.
//
// Groups of the last Snapshot stay until a Snapshot without them. Groups that came because of a
// Resolve stay while a destination leads to them, over reconnects too, so that a restart of heddled
// changes nothing for connections in use.
class ConfigStore {
 public:
  // `sockets`: the listening sockets that were handed over at the start.
  explicit ConfigStore(Sockets sockets) : sockets_(std::move(sockets)) {}

  // Errors: `invalid` (an expression of a rule), `not_found` (a socket that was not handed over);
  // then nothing changed.
  // A snapshot ends our hold on sockets that none of its listeners names.
  Result<std::vector<ConfigEvent>> apply(snapshot::ConfigMessage message, Deadline now);

  // Names of sockets that a snapshot needs and that are not here; then one of them.
  std::vector<std::string> missing_sockets(const snapshot::Snapshot& snapshot) const;
  void add_socket(const std::string& name, UniqueFd socket);
  void add_socket(const std::string& name, std::shared_ptr<const UniqueFd> socket) {
    sockets_[name] = std::move(socket);
  }
  const Sockets& sockets() const { return sockets_; }

  const std::map<std::string, std::shared_ptr<const snapshot::TargetGroup>>& groups() const {
    return groups_;
  }
  const std::vector<snapshot::Listener>* listeners() const { return listeners_.get(); }
  bool has_socket(const std::string& name) const { return sockets_.contains(name); }
  // Group by destination; empty: pass through.
  std::map<SocketAddr, std::string> destinations() const;

  // Destinations to ask for again after a reconnect.
  std::vector<SocketAddr> destinations_in_use() const;

  // Services not used for a while: their names for Release, and the events that forget them.
  struct Expired {
    std::vector<std::string> groups;
    std::vector<ConfigEvent> events;
  };
  Expired expire(Deadline now);
  // When expire() has something to do next; nullopt: never.
  std::optional<Deadline> next_expiry() const;

 private:
  struct Destination {
    std::string group;
    std::shared_ptr<DestinationUse> use;
    Deadline since;  // pass-through answers get old
  };

  Result<std::vector<ConfigEvent>> apply_snapshot(snapshot::Snapshot snapshot);
  Result<std::vector<std::shared_ptr<const route::Table>>> make_tables(
      const std::shared_ptr<const std::vector<snapshot::Listener>>& listeners) const;
  void put_group(snapshot::TargetGroup group, std::vector<ConfigEvent>& events);
  void drop_excess(std::vector<ConfigEvent>& events);
  bool is_referenced(const std::string& group) const;

  Sockets sockets_;
  std::map<std::string, std::shared_ptr<const snapshot::TargetGroup>> groups_;
  std::set<std::string> static_groups_;
  std::shared_ptr<const std::vector<snapshot::Listener>> listeners_;
  std::vector<std::shared_ptr<const route::Table>> tables_;  // of them
  std::map<SocketAddr, Destination> destinations_;
};

}  // namespace heddle::control
