#include "proxy/control/config_store.h"

#include <algorithm>
#include <utility>

namespace heddle::control {
namespace {

using std::chrono::seconds;

// heddled is not asked about a pass-through destination more often than this, and learns of a
// service that was not used this long that it is not needed.
constexpr seconds kPassThroughAge{5};
constexpr seconds kUnusedAge{600};
constexpr std::size_t kMaxDestinations = 4096;

}  // namespace

Result<std::vector<ConfigEvent>> ConfigStore::apply(snapshot::ConfigMessage message, Deadline now) {
  if (auto* snapshot = std::get_if<snapshot::Snapshot>(&message)) {
    return apply_snapshot(std::move(*snapshot));
  }
  std::vector<ConfigEvent> events;
  if (auto* group = std::get_if<snapshot::TargetGroup>(&message)) {
    put_group(std::move(*group), events);
  } else if (const auto* removed = std::get_if<snapshot::GroupRemoved>(&message)) {
    // What led there has to be asked for again: it may be another service, or none, by now.
    std::erase_if(destinations_, [&](const auto& entry) {
      if (entry.second.group != removed->name) return false;
      events.push_back(DestinationDropped{entry.first});
      return true;
    });
    static_groups_.erase(removed->name);
    if (groups_.erase(removed->name)) events.push_back(GroupDropped{removed->name});
  } else if (auto* resolved = std::get_if<snapshot::Resolved>(&message)) {
    auto& entry = destinations_[resolved->destination];
    if (!entry.use) entry.use = std::make_shared<DestinationUse>();
    entry.use->touch(now);
    const std::string before = std::exchange(entry.group, resolved->group);
    entry.since = now;
    events.push_back(DestinationChanged{resolved->destination, resolved->group, entry.use});
    if (before != resolved->group && !before.empty() && !is_referenced(before) &&
        groups_.erase(before)) {
      events.push_back(GroupDropped{before});
    }
    drop_excess(events);
  }
  return events;
}

Result<std::vector<ConfigEvent>> ConfigStore::apply_snapshot(snapshot::Snapshot snapshot) {
  for (const snapshot::Listener& listener : snapshot.listeners) {
    if (!sockets_.contains(listener.socket)) {
      return fail(Errc::not_found, "listener '" + listener.name + "': no socket named '" +
                                       listener.socket + "' was handed to this proxy");
    }
  }
  auto listeners =
      std::make_shared<const std::vector<snapshot::Listener>>(std::move(snapshot.listeners));
  TRY(auto tables, make_tables(listeners));
  std::vector<ConfigEvent> events;
  const std::set<std::string> before = std::exchange(static_groups_, {});
  for (snapshot::TargetGroup& group : snapshot.groups) {
    static_groups_.insert(group.name);
    put_group(std::move(group), events);
  }
  std::erase_if(sockets_, [&](const auto& entry) {
    return std::ranges::none_of(*listeners, [&](const snapshot::Listener& listener) {
      return listener.socket == entry.first;
    });
  });
  listeners_ = std::move(listeners);
  tables_ = std::move(tables);
  events.push_back(ListenersChanged{snapshot.revision, listeners_, tables_,
                                    std::make_shared<const Sockets>(sockets_)});
  for (const std::string& name : before) {
    if (!is_referenced(name) && groups_.erase(name)) events.push_back(GroupDropped{name});
  }
  return events;
}

Result<std::vector<std::shared_ptr<const route::Table>>> ConfigStore::make_tables(
    const std::shared_ptr<const std::vector<snapshot::Listener>>& listeners) const {
  std::map<std::string_view, const route::Table*> before;
  for (const auto& table : tables_) before[table->listener().name] = table.get();
  std::vector<std::shared_ptr<const route::Table>> out;
  for (const snapshot::Listener& config : *listeners) {
    std::shared_ptr<const snapshot::Listener> shared(listeners, &config);
    const auto old = before.find(config.name);
    TRY(auto table,
        route::Table::make(std::move(shared), old == before.end() ? nullptr : old->second));
    out.push_back(std::move(table));
  }
  return out;
}

std::vector<std::string> ConfigStore::missing_sockets(const snapshot::Snapshot& snapshot) const {
  std::vector<std::string> missing;
  for (const snapshot::Listener& listener : snapshot.listeners) {
    if (!sockets_.contains(listener.socket)) missing.push_back(listener.socket);
  }
  return missing;
}

void ConfigStore::add_socket(const std::string& name, UniqueFd socket) {
  sockets_[name] = std::make_shared<const UniqueFd>(std::move(socket));
}

void ConfigStore::put_group(snapshot::TargetGroup group, std::vector<ConfigEvent>& events) {
  auto& slot = groups_[group.name];
  if (slot && *slot == group) return;
  slot = std::make_shared<const snapshot::TargetGroup>(std::move(group));
  events.push_back(GroupChanged{slot});
}

bool ConfigStore::is_referenced(const std::string& group) const {
  return static_groups_.contains(group) ||
         std::ranges::any_of(destinations_,
                             [&](const auto& entry) { return entry.second.group == group; });
}

void ConfigStore::drop_excess(std::vector<ConfigEvent>& events) {
  while (destinations_.size() > kMaxDestinations) {
    const auto oldest = std::ranges::min_element(destinations_, {}, [](const auto& entry) {
      return std::pair(entry.second.use->is_active(), entry.second.use->last());
    });
    events.push_back(DestinationDropped{oldest->first});
    destinations_.erase(oldest);
  }
}

std::map<SocketAddr, std::string> ConfigStore::destinations() const {
  std::map<SocketAddr, std::string> out;
  for (const auto& [address, destination] : destinations_) out[address] = destination.group;
  return out;
}

std::vector<SocketAddr> ConfigStore::destinations_in_use() const {
  std::vector<SocketAddr> out;
  for (const auto& [address, destination] : destinations_) {
    if (!destination.group.empty()) out.push_back(address);
  }
  return out;
}

ConfigStore::Expired ConfigStore::expire(Deadline now) {
  Expired out;
  std::set<std::string> released;
  std::erase_if(destinations_, [&](const auto& entry) {
    const Destination& destination = entry.second;
    const bool old = destination.group.empty() ? destination.since + kPassThroughAge <= now
                                               : !destination.use->is_active() &&
                                                     destination.use->last() + kUnusedAge <= now;
    if (!old) return false;
    out.events.push_back(DestinationDropped{entry.first});
    if (!destination.group.empty()) released.insert(destination.group);
    return true;
  });
  for (const std::string& group : released) {
    if (is_referenced(group)) continue;
    out.groups.push_back(group);
    if (groups_.erase(group)) out.events.push_back(GroupDropped{group});
  }
  return out;
}

std::optional<Deadline> ConfigStore::next_expiry() const {
  std::optional<Deadline> next;
  for (const auto& [address, destination] : destinations_) {
    const Deadline at = destination.group.empty() ? destination.since + kPassThroughAge
                                                  : destination.use->last() + kUnusedAge;
    if (!next || at < *next) next = at;
  }
  return next;
}

}  // namespace heddle::control
