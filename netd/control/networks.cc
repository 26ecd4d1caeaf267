// Making and removing networks, and what of the host stands in their way.
#include <sys/random.h>

#include <algorithm>

#include "common/base/check.h"
#include "netd/control/control.h"
#include "netd/control/network_draft.h"
#include "netd/ipam/layout.h"
#include "netd/reconcile/plan.h"

namespace heddle::control {
namespace {

constexpr int kV6SubnetLength = 64;  // RFC 4291, section 2.5.1
constexpr std::chrono::seconds kStoreBudget{5};
const store::Key kUniqueLocalKey{"setting", "unique-local-id"};

// `KEY` or `KEY=VALUE`.
bool has_label(const model::Labels& labels, const std::string& wanted) {
  const auto equals = wanted.find('=');
  const auto found = labels.find(wanted.substr(0, equals));
  return found != labels.end() &&
         (equals == std::string::npos || found->second == wanted.substr(equals + 1));
}

bool is_pruned(const model::View& view, const model::Network& network, const PruneSpec& spec) {
  if (network.config_only || !users_of(view, network).empty()) return false;
  if (spec.until && network.created >= *spec.until) return false;
  const auto has = [&](const std::string& label) { return has_label(network.labels, label); };
  return std::ranges::all_of(spec.labels, has) && std::ranges::none_of(spec.without_labels, has);
}

}  // namespace

bool Control::is_ours(const std::string& device) const {
  return applied_.bridges.contains(device) || applied_.attachments.contains(device) ||
         applied_.vlans.contains(device) ||
         (applied_.underlay && applied_.underlay->vxlan_name == device);
}

Result<std::vector<ipam::HostRoute>> Control::learn_host() {
  facts_.has_macvlan = settings_.kernel_has.macvlan;
  facts_.has_ipvlan = settings_.kernel_has.ipvlan;
  facts_.has_vlan = settings_.kernel_has.vlan;
  TRY(HostSurvey host, settings_.survey_host().during("look at this host"));
  const auto ours = [this](const std::string& device) { return is_ours(device); };
  std::erase_if(host.devices, [&](const auto& device) { return ours(device.first); });
  std::erase_if(host.advertised_devices, ours);
  facts_.devices = std::move(host.devices);
  facts_.advertised_devices = std::move(host.advertised_devices);
  facts_.egress_mtu = host.egress_mtu;
  std::vector<ipam::HostRoute> routes;
  for (const HostRoute& route : host.routes) {
    if (!ours(route.device)) routes.push_back({route.destination, route.device});
  }
  return routes;
}

ipam::Taken Control::taken(const model::View& view, std::vector<ipam::HostRoute> routes,
                           const model::Id& except) const {
  ipam::Taken taken{{}, std::move(routes), settings_.never_choose};
  for (const auto& [id, network] : view.networks) {
    if (network.config_only || id == except) continue;
    for (const auto& subnet : network.subnets) {
      taken.networks.push_back({network.name, subnet.prefix});
    }
  }
  return taken;
}

// A random global id, drawn when it is first needed and kept. RFC 4193, section 3.2.
Result<Prefix> Control::unique_local_pool() {
  const Deadline deadline = after(kStoreBudget);
  TRY(const auto kept, parts_.store->get(kUniqueLocalKey, deadline));
  if (kept) return Prefix::parse(kept->payload).during("the stored unique local prefix");
  std::uint64_t global_id = 0;
  CHECK(::getrandom(&global_id, sizeof global_id, 0) == static_cast<ssize_t>(sizeof global_id));
  const Prefix prefix = ipam::unique_local(global_id);
  TRY_DO(parts_.store->commit(
      {{{kUniqueLocalKey, 0}},
       {{kUniqueLocalKey.kind, kUniqueLocalKey.id, "", {}, prefix.format(), 0}},
       {}},
      deadline));
  return prefix;
}

Result<> Control::choose_subnet(driver::Family family, const ipam::Taken& taken,
                                model::Network& draft) {
  const bool v4 = family == driver::Family::v4;
  std::vector<Prefix> pools;
  for (const Prefix& pool : settings_.local_pools) {
    if (pool.is_v4() == v4) pools.push_back(pool);
  }
  if (!v4 && pools.empty()) {
    TRY(const Prefix own, unique_local_pool());
    pools.push_back(own);
  }
  TRY(const Prefix prefix,
      ipam::choose_subnet(pools, v4 ? settings_.local_subnet_length : kV6SubnetLength, taken));
  // IPv4 ones come first.
  draft.subnets.insert(v4 ? draft.subnets.begin() : draft.subnets.end(), {prefix, {}, {}, {}});
  return {};
}

Result<model::Network> Control::plan_network(const NetworkSpec& spec, std::vector<Prefix>& avoid) {
  const auto current = view();
  TRY(auto routes, learn_host());
  TRY(model::Network draft, draft_network(spec, *parts_.drivers, *current));
  const ipam::Taken all = taken(*current, std::move(routes), "");
  if (!draft.config_only) {
    for (const auto& subnet : draft.subnets) TRY_DO(ipam::check_subnet(subnet.prefix, all));
  }
  if (draft.scope == model::Scope::local) {
    for (const auto family : {driver::Family::v4, driver::Family::v6}) {
      if (!wants_subnet(spec, draft, *parts_.drivers, family)) continue;
      TRY_DO(choose_subnet(family, all, draft));
    }
  } else if (!spec.ipv4 || wants_subnet(spec, draft, *parts_.drivers, driver::Family::v6)) {
    return fail(Errc::unsupported,
                "networks of scope swarm are IPv4 alone yet; leave --ipv6 and "
                "--ipv4=false out");
  }
  fill_gateways(draft, *parts_.drivers);
  draft.created = now();
  // A configuration without subnets is checked when a network is made from it.
  if (!draft.config_only || !draft.subnets.empty()) {
    model::Network checked = draft;
    if (draft.config_only) checked.scope = (*parts_.drivers->get(draft.driver))->scope();
    TRY_DO(reconcile::check_network(checked, *current, facts_, *parts_.drivers));
  }
  for (const auto& route : all.routes) avoid.push_back(route.prefix);
  for (const auto& network : all.networks) avoid.push_back(network.prefix);
  // What was asked for by name may be there.
  if (draft.subnets.empty()) avoid.insert(avoid.end(), all.never.begin(), all.never.end());
  return draft;
}

Result<model::Network> Control::store_network(model::Network network) {
  network.id = new_id();
  Objects::Batch batch;
  batch.put(network);
  TRY_DO(objects_->commit(std::move(batch)));
  refresh();
  return network;
}

Result<model::Network> Control::create_network(NetworkSpec spec, Deadline deadline) {
  std::vector<Prefix> avoid;
  TRY(model::Network made, executor_.call([&]() -> Result<model::Network> {
    TRY(model::Network draft, plan_network(spec, avoid));
    if (draft.scope == model::Scope::swarm) return draft;
    return store_network(std::move(draft));
  }));
  if (made.scope == model::Scope::local) return made;
  return parts_.cluster->create_network(std::move(made), std::move(avoid), deadline);
}

Result<> Control::remove_network(std::string reference, Deadline deadline) {
  TRY(const auto found, executor_.call([&]() -> Result<model::Network> {
    const auto current = view();
    TRY(const model::Network* network, model::find_network(*current, reference));
    const auto users = users_of(*current, *network);
    if (!users.empty()) {
      return fail(Errc::in_use, "network '" + network->name + "' is in use by " +
                                    join_names(users) + "; disconnect or remove them first");
    }
    if (network->scope == model::Scope::local) {
      Objects::Batch batch;
      batch.remove_network(network->id);
      for (const auto& [id, service] : objects_->services()) {
        if (service.network == network->id) batch.remove_service(id);
      }
      const model::Network removed = *network;
      TRY_DO(objects_->commit(std::move(batch)));
      pools_.erase(removed.id);
      refresh();
      return removed;
    }
    return *network;
  }));
  if (found.scope == model::Scope::local) return {};
  return parts_.cluster->remove_network(found.id, deadline);
}

Result<std::vector<std::string>> Control::prune_networks(PruneSpec spec, Deadline deadline) {
  const auto current = view();
  const bool manager = parts_.cluster->role() == cluster::Cluster::Role::manager;
  std::vector<std::string> removed;
  Result<> first;
  for (const auto& [id, network] : current->networks) {
    const driver::Driver* driver = parts_.drivers->find(network.driver);
    if (driver == nullptr || !driver->has_subnets()) continue;
    if (network.scope == model::Scope::swarm && !manager) continue;
    if (!is_pruned(*current, network, spec)) continue;
    auto done = remove_network(id, deadline);
    if (done) {
      removed.push_back(network.name);
    } else if (done.error().code() != Errc::in_use && done.error().code() != Errc::not_found) {
      // In use: on another node, or since we looked.
      if (first) first = std::move(done);
    }
  }
  if (removed.empty() && !first) return std::unexpected(std::move(first).error());
  std::ranges::sort(removed);
  return removed;
}

std::string Control::device_of(const model::Network& network) {
  const auto current = view();
  const bool present = std::ranges::any_of(current->endpoints, [&](const auto& entry) {
    return entry.second.network == network.id && current->is_local(entry.second);
  });
  const driver::Driver* driver = parts_.drivers->find(network.driver);
  return present && driver != nullptr ? driver->device(network) : "";
}

}  // namespace heddle::control
