#include <algorithm>

#include "netd/control/control.h"
#include "netd/control/host_facts.h"
#include "netd/reconcile/plan.h"

namespace heddle::control {
namespace {

std::vector<ipam::TakenNetwork> taken_networks(const model::View& view) {
  std::vector<ipam::TakenNetwork> taken;
  for (const auto& [id, network] : view.networks) {
    for (const auto& subnet : network.subnets) taken.push_back({network.name, subnet.prefix});
  }
  return taken;
}

Result<std::vector<ipam::HostRoute>> taken_routes() {
  TRY(const auto routes, host_routes());
  std::vector<ipam::HostRoute> taken;
  for (const auto& route : routes) taken.push_back({route.destination, route.device});
  return taken;
}

Result<> check_name_free(const model::View& view, const std::string& name) {
  for (const auto& [id, network] : view.networks) {
    if (network.name == name) {
      return fail(Errc::exists, "a network '" + name + "' exists already");
    }
  }
  return {};
}

}  // namespace

Result<> Control::check_subnets(const model::Network& draft, const model::View& view) {
  TRY(const auto routes, taken_routes());
  const auto networks = taken_networks(view);
  for (std::size_t i = 0; i < draft.subnets.size(); ++i) {
    TRY_DO(ipam::check_subnet(draft.subnets[i].prefix, networks, routes));
    for (std::size_t j = 0; j < i; ++j) {
      if (draft.subnets[i].prefix.overlaps(draft.subnets[j].prefix)) {
        return fail(Errc::invalid, "subnets " + draft.subnets[j].prefix.format() + " and " +
                                       draft.subnets[i].prefix.format() + " overlap");
      }
    }
  }
  return {};
}

Result<model::Network> Control::create_network(NetworkSpec spec, Deadline deadline) {
  model::Network draft;
  draft.name = spec.name;
  draft.driver = spec.driver.empty() ? "bridge" : spec.driver;
  draft.internal = spec.internal;
  draft.options = std::move(spec.options);
  draft.labels = std::move(spec.labels);
  if (spec.gateways.size() > spec.subnets.size()) {
    return fail(Errc::invalid, "there are more gateways than subnets; give each its --subnet");
  }
  for (std::size_t i = 0; i < spec.subnets.size(); ++i) {
    const Prefix& prefix = spec.subnets[i];
    draft.subnets.push_back(
        {prefix, i < spec.gateways.size() ? spec.gateways[i] : ipam::default_gateway(prefix)});
  }
  TRY_DO(model::check_name("network name", draft.name));
  TRY(const driver::Driver* driver, parts_.drivers->get(draft.driver));
  draft.scope = driver->scope();
  draft.created = now();

  if (draft.scope == model::Scope::local) {
    return executor_.call([&] { return create_local_network(std::move(draft)); });
  }
  TRY(auto avoid, executor_.call([&]() -> Result<std::vector<Prefix>> {
    const auto current = view();
    TRY_DO(check_name_free(*current, draft.name));
    TRY_DO(check_subnets(draft, *current));
    if (!draft.subnets.empty()) {
      TRY_DO(reconcile::check_network(draft, *current, facts_, *parts_.drivers));
    }
    // What this host's routes and local networks use, the swarm shall not choose.
    TRY(const auto routes, taken_routes());
    std::vector<Prefix> taken;
    for (const auto& route : routes) taken.push_back(route.prefix);
    for (const auto& network : taken_networks(*current)) taken.push_back(network.prefix);
    return taken;
  }));
  return parts_.cluster->create_network(std::move(draft), std::move(avoid), deadline);
}

Result<model::Network> Control::create_local_network(model::Network draft) {
  const auto current = view();
  TRY_DO(check_name_free(*current, draft.name));
  TRY_DO(check_subnets(draft, *current));
  draft.id = new_id();
  if (draft.subnets.empty()) {
    TRY(const auto routes, taken_routes());
    TRY(const Prefix prefix,
        ipam::choose_subnet(settings_.local_pools, settings_.local_subnet_length,
                            taken_networks(*current), routes));
    draft.subnets.push_back({prefix, ipam::default_gateway(prefix)});
  }
  TRY_DO(reconcile::check_network(draft, *current, facts_, *parts_.drivers));
  Objects::Batch batch;
  batch.put(draft);
  TRY_DO(objects_->commit(std::move(batch)));
  refresh();
  return draft;
}

Result<> Control::remove_network(std::string reference, Deadline deadline) {
  TRY(const auto found, executor_.call([&]() -> Result<model::Network> {
    const auto current = view();
    TRY(const model::Network* network, model::find_network(*current, reference));
    std::string users;
    for (const auto& [id, endpoint] : current->endpoints) {
      if (endpoint.network == network->id) {
        users += (users.empty() ? "" : ", ") + endpoint.workload_name;
      }
    }
    for (const auto& [id, balancer] : current->load_balancers) {
      if (balancer.network == network->id) users += (users.empty() ? "" : ", ") + balancer.name;
    }
    if (!users.empty()) {
      return fail(Errc::in_use, "network '" + network->name + "' is in use by " + users +
                                    "; disconnect or remove them first");
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

Result<model::Network> Control::update_network(NetworkUpdate, Deadline) {
  return fail(Errc::unsupported, "networks cannot be changed yet");
}

Result<std::vector<SubnetUse>> Control::subnet_use(std::string) {
  return fail(Errc::unsupported, "the use of subnets is not counted yet");
}

Result<std::vector<std::string>> Control::prune_networks(PruneSpec, Deadline) {
  return fail(Errc::unsupported, "networks cannot be pruned yet");
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
