// Changing a network that exists, connections and all: what endpoints have stays theirs.
#include <algorithm>
#include <set>

#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/control/network_draft.h"
#include "netd/driver/names.h"
#include "netd/ipam/layout.h"
#include "netd/reconcile/plan.h"

namespace heddle::control {
namespace {

bool touches_subnets(const NetworkUpdate& update) {
  return !update.subnets.empty() || !update.gateways.empty() || !update.ranges.empty() ||
         !update.reserved.empty() || update.ipv6;
}

// Addresses in use, and by whom.
std::map<IpAddr, std::string> used_addresses(const model::View& view, const model::Id& network) {
  std::map<IpAddr, std::string> used;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network != network) continue;
    used.emplace(endpoint.address.address, endpoint.workload_name);
    if (endpoint.address6) used.emplace(endpoint.address6->address, endpoint.workload_name);
  }
  for (const auto& [id, service] : view.services) {
    if (service.network == network) used.emplace(service.vip, "service " + service.name);
  }
  return used;
}

Result<> change_options(const NetworkUpdate& update, const driver::Driver& driver,
                        model::Network& network) {
  TRY(const auto changes,
      driver::normalise_options(network.driver, driver.options(), update.options));
  for (const auto& [name, value] : changes) {
    const auto option = std::ranges::find(driver.options(), name, &driver::OptionHelp::name);
    const std::string before = driver::text(network, name);
    if (option->change == driver::OptionHelp::Change::fixed && value != before) {
      return fail(Errc::invalid,
                  "option " + name + " of a network cannot be changed; make another network");
    }
    if (value.empty()) {
      network.options.erase(name);
    } else {
      network.options[name] = value;
    }
  }
  return {};
}

void change_labels(const NetworkUpdate& update, model::Network& network) {
  for (const std::string& key : update.removed_labels) network.labels.erase(key);
  for (const auto& [key, value] : update.labels) network.labels[key] = value;
}

Result<> check_changeable(const NetworkUpdate& update, const model::Network& network,
                          const model::View& view) {
  const bool shape = touches_subnets(update) || !update.options.empty();
  if (!shape && update.labels.empty() && update.removed_labels.empty()) {
    return fail(Errc::invalid, "nothing to change is given");
  }
  if (!shape) return {};
  if (!network.config_from.empty()) {
    return fail(Errc::invalid, "subnets and options of network '" + network.name +
                                   "' come from configuration '" + network.config_from +
                                   "'; only its labels can be changed");
  }
  const auto made = networks_from(view, network.name);
  if (!network.config_only || made.empty()) return {};
  return fail(Errc::in_use, "configuration '" + network.name + "' is in use by " +
                                join_names(made) + "; remove them first");
}

// With the prefix length that its subnet has now.
IfAddr in_subnet(const IfAddr& address, const model::Network& network) {
  const model::Subnet* subnet = driver::subnet_of(network, address.address);
  return subnet == nullptr ? address : IfAddr{address.address, subnet->prefix.length()};
}

}  // namespace

Result<> Control::change_subnets(const NetworkUpdate& update, NetworkChange& change) {
  const auto current = view();
  TRY(auto routes, learn_host());
  model::Network& after = change.after;
  const driver::Driver* driver = parts_.drivers->find(after.driver);
  if (driver == nullptr || !driver->has_subnets()) {
    return fail(Errc::invalid, "driver " + after.driver + " has no addresses to change");
  }
  TRY(after.subnets,
      ipam::lay_out_update(after.subnets,
                           {update.subnets, update.gateways, update.ranges, update.reserved},
                           used_addresses(*current, after.id)));
  const ipam::Taken others = taken(*current, std::move(routes), after.id);
  for (const Prefix& prefix : update.subnets) {
    if (!after.config_only) TRY_DO(ipam::check_subnet(prefix, others));
  }
  if (update.ipv6 && !driver::has_family(after, driver::Family::v6)) {
    if (after.scope == model::Scope::swarm) {
      return fail(Errc::unsupported, "networks of scope swarm are IPv4 alone yet");
    }
    TRY_DO(choose_subnet(driver::Family::v6, others, after));
  }
  fill_gateways(after, *parts_.drivers);
  for (const auto& route : others.routes) change.avoid.push_back(route.prefix);
  return {};
}

Result<Control::NetworkChange> Control::plan_update(const NetworkUpdate& update) {
  const auto current = view();
  TRY(const model::Network* found, model::find_network(*current, update.network));
  NetworkChange change{*found, *found, {}};
  TRY_DO(check_changeable(update, *found, *current));
  TRY(const driver::Driver* driver, parts_.drivers->get(found->driver));
  TRY_DO(change_options(update, *driver, change.after));
  change_labels(update, change.after);
  if (touches_subnets(update)) TRY_DO(change_subnets(update, change));
  if (change.after.config_only) return change;
  TRY_DO(reconcile::check_network(change.after, *current, facts_, *parts_.drivers));
  return change;
}

// The network's endpoints that are not as they were: their prefix lengths follow the subnets, and
// who has no IPv6 address gets one when the network has IPv6 now. Each keeps what it has.
Result<std::vector<model::Endpoint>> Control::follow_subnets(const model::Network& network) {
  std::vector<model::Endpoint> moved;
  ipam::NetworkPools& pools = pools_of(network);
  ipam::Lease lease(pools);
  for (const auto& [id, before] : objects_->endpoints()) {
    if (before.network != network.id) continue;
    model::Endpoint endpoint = before;
    endpoint.address = in_subnet(before.address, network);
    if (before.address6) endpoint.address6 = in_subnet(*before.address6, network);
    if (before.address.address.is_v4() && !before.address6 && pools.has(ipam::Family::v6)) {
      TRY(const IpAddr chosen,
          lease.take(ipam::Family::v6, before.workload_name, parts_.clock->steady()));
      endpoint.address6 = in_subnet({chosen, 128}, network);
    }
    if (endpoint != before) moved.push_back(std::move(endpoint));
  }
  lease.keep();
  return moved;
}

// Stores it, and looks whether the kernel took it; if not, everything is as before.
Result<> Control::store_update(const NetworkChange& change) {
  const driver::Driver* driver = parts_.drivers->find(change.after.driver);
  std::set<std::string> devices{driver->device(change.after)};
  Objects::Batch batch;
  Objects::Batch undo;
  batch.put(change.after);
  undo.put(change.before);
  for (const auto& [id, endpoint] : objects_->endpoints()) {
    if (endpoint.network != change.after.id) continue;
    devices.insert(driver::host_device(id));
  }
  auto moved = follow_subnets(change.after);
  pools_.erase(change.after.id);  // made again from what is stored
  if (!moved) return std::unexpected(std::move(moved).error());
  for (model::Endpoint& endpoint : *moved) {
    undo.put(objects_->endpoints().at(endpoint.id));
    batch.put(std::move(endpoint));
  }
  TRY_DO(objects_->commit(std::move(batch)));
  for (const Failure& failure : refresh()) {
    const auto* bridge = std::get_if<dataplane::Ensure<dataplane::Bridge>>(&failure.operation);
    const auto* attachment =
        std::get_if<dataplane::Ensure<dataplane::Attachment>>(&failure.operation);
    const std::string device = bridge != nullptr       ? bridge->object.name
                               : attachment != nullptr ? attachment->object.host_name
                                                       : "";
    if (!devices.contains(device)) continue;
    if (auto undone = objects_->commit(std::move(undo)); !undone) {
      log_error("store.failed", {{"error", undone.error()}});
    }
    pools_.erase(change.after.id);
    refresh();
    return std::unexpected(failure.error.during("change network " + change.before.name));
  }
  return {};
}

Result<model::Network> Control::update_network(NetworkUpdate update, Deadline deadline) {
  TRY(NetworkChange change, executor_.call([&]() -> Result<NetworkChange> {
    TRY(NetworkChange planned, plan_update(update));
    if (planned.after.scope == model::Scope::local) TRY_DO(store_update(planned));
    return planned;
  }));
  if (change.after.scope == model::Scope::local) return change.after;
  return parts_.cluster->update_network(std::move(change.before), std::move(change.after),
                                        std::move(change.avoid), deadline);
}

}  // namespace heddle::control
