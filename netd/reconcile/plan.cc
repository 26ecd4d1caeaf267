#include "netd/reconcile/plan.h"

#include <algorithm>

#include "dataplane/intent/loopback.h"
#include "netd/driver/options.h"
#include "netd/reconcile/diff.h"
#include "netd/reconcile/network_number.h"
#include "netd/reconcile/survey.h"

namespace heddle::reconcile {
namespace {

using dataplane::HostState;
using model::Id;
using model::View;

dataplane::Protocol protocol_of(model::Protocol protocol) {
  return protocol == model::Protocol::tcp ? dataplane::Protocol::tcp : dataplane::Protocol::udp;
}

bool serves(const model::Endpoint& endpoint, const model::ServicePort& port) {
  // A backend of a service declared by hand need not repeat its ports.
  return endpoint.ports.empty() ||
         std::ranges::any_of(endpoint.ports, [&](const model::ServicePort& own) {
           return own.port == port.port && own.protocol == port.protocol;
         });
}

// What an endpoint that lives is good for as a backend. One that does not is left out, and its
// clients' sockets are ended.
dataplane::BackendUse use_of(model::EndpointState state) {
  switch (state) {
    case model::EndpointState::ready:
      return dataplane::BackendUse::ready;
    case model::EndpointState::draining:
      return dataplane::BackendUse::draining;
    case model::EndpointState::starting:
    case model::EndpointState::gone:
      break;
  }
  return dataplane::BackendUse::failing;
}

dataplane::BackendAddress backend_of(const model::View& view, const model::Endpoint& endpoint,
                                     std::uint16_t port) {
  const auto weight = std::clamp<std::uint32_t>(endpoint.weight, 1, 255);
  return {endpoint.address.address, port, use_of(view.state_of(endpoint)),
          static_cast<std::uint8_t>(weight)};
}

// One entry per port of the service. Without a usable backend connects are refused at once instead
// of timing out.
void plan_service(const Survey& survey, const model::Network& network,
                  const model::Service& service, std::uint32_t number, HostState& into) {
  if (!service.vip.is_v4() || service.vip.is_unspecified()) return;
  const std::vector<const model::Endpoint*>& backends =
      survey.backends(service.network, service.name);
  const std::uint32_t affinity = driver::parse_affinity(network).value_or(0);
  for (const model::ServicePort& port : service.ports) {
    dataplane::ServiceEntry entry{.network = number,
                                  .vip = service.vip,
                                  .port = port.port,
                                  .protocol = protocol_of(port.protocol),
                                  .backends = {},
                                  .affinity = affinity};
    for (const model::Endpoint* backend : backends) {
      if (!serves(*backend, port)) continue;
      entry.backends.push_back(backend_of(survey.view(), *backend, port.port));
    }
    std::ranges::sort(entry.backends);
    const auto repeated = std::ranges::unique(entry.backends);
    entry.backends.erase(repeated.begin(), repeated.end());
    into.services.emplace(std::tuple(entry.vip, entry.port, entry.protocol), std::move(entry));
  }
}

void plan_member(const std::string& sandbox, const std::set<Id>& networks,
                 const NetworkNumbers& numbers, HostState& into) {
  dataplane::Member member{sandbox, {}, true};
  for (const Id& network : networks) member.networks.insert(numbers.at(network));
  into.members.emplace(sandbox, std::move(member));
}

// Inbound ports are those that the workload's endpoints serve as backends.
void plan_interception(const model::Workload& workload, const View& view,
                       const driver::NodeFacts& facts, HostState& into) {
  dataplane::Interception interception;
  interception.sandbox = workload.sandbox;
  interception.outbound_port = facts.sidecar_outbound;
  interception.inbound_port = facts.sidecar_inbound;
  interception.proxy_cgroup = facts.proxy_cgroup(workload.id);
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.workload != workload.id || endpoint.service.empty()) continue;
    if (endpoint.state == model::EndpointState::gone) continue;
    for (const model::ServicePort& port : endpoint.ports) {
      if (port.protocol == model::Protocol::tcp) interception.inbound.insert(port.port);
    }
  }
  into.interceptions.insert_or_assign(workload.sandbox, std::move(interception));
}

// The networks themselves; all that are present, since what they share (the rules, a parent's VLAN)
// stays for as long as one of them is.
void plan_networks(const std::set<Id>& present, const Moment& moment,
                   const driver::DriverSet& drivers, HostState& into) {
  for (const Id& id : present) {
    const model::Network& network = moment.view.networks.at(id);
    const driver::Driver* driver = drivers.find(network.driver);
    if (driver != nullptr) {
      driver->plan_network(driver::Site{network, moment.view, {}, {}}, moment.facts, into);
    }
  }
}

// Everything else that follows from endpoints; without a scope, from all of them.
void plan_scope(const Moment& moment, const driver::DriverSet& drivers, const Survey& survey,
                const Scope* scope, HostState& into) {
  const auto& [view, facts, index] = moment;
  for (const auto& [id, site] : survey.sites()) {
    const driver::Driver* driver = drivers.find(site.network.driver);
    if (driver != nullptr) driver->plan_endpoints(site, facts, into);
  }
  const NetworkNumbers numbers = number_networks(view);
  for (const auto& [sandbox, networks] : survey.sandboxes()) {
    plan_member(sandbox, networks, numbers, into);
  }
  for (const auto& [id, service] : view.services) {
    const bool wanted =
        scope == nullptr || scope->services.contains({service.network, service.name});
    if (wanted && survey.present(service.network)) {
      plan_service(survey, view.networks.at(service.network), service, numbers.at(service.network),
                   into);
    }
  }
  for (const auto& [id, sidecar] : view.sidecars) {
    if (scope != nullptr && !scope->workloads.contains(sidecar.workload)) continue;
    const model::Workload* workload = plannable(view, facts, sidecar.workload);
    if (workload != nullptr) plan_interception(*workload, view, facts, into);
  }
  into.sysctls.merge(dataplane::loopback_settings(into));
}

Result<> check_claims(const driver::Claim& mine, const driver::Claim& theirs,
                      const std::string& other) {
  using Share = driver::Claim::Share;
  if (mine.device.empty() || mine.device != theirs.device) return {};
  if (mine.share == Share::together && theirs.share == Share::together &&
      mine.manner == theirs.manner) {
    return {};
  }
  return fail(Errc::conflict, "network '" + other + "' has " + mine.device + " already (" +
                                  theirs.manner + "), which does not go with " + mine.manner +
                                  "; choose another");
}

std::set<Id> present_networks(const View& view, const Survey& survey) {
  std::set<Id> present;
  for (const auto& [id, network] : view.networks) {
    if (survey.present(id)) present.insert(id);
  }
  return present;
}

// What the change itself names.
Scope named_by(const model::ViewChange& change, const Moment& before, const Moment& after) {
  Scope scope;
  scope.endpoints = change.endpoints;
  scope.networks = change.networks;
  scope.workloads = change.workloads;
  scope.workloads.insert(change.sidecars.begin(), change.sidecars.end());
  for (const View* view : {&before.view, &after.view}) {
    for (const Id& id : change.endpoints) {
      const auto found = view->endpoints.find(id);
      if (found == view->endpoints.end()) continue;
      const model::Endpoint& endpoint = found->second;
      if (Survey::is_here(*view, endpoint)) scope.workloads.insert(endpoint.workload);
      if (!endpoint.service.empty()) scope.services.emplace(endpoint.network, endpoint.service);
    }
    for (const Id& id : change.services) {
      const auto found = view->services.find(id);
      if (found == view->services.end()) continue;
      scope.services.emplace(found->second.network, found->second.name);
    }
  }
  return scope;
}

// Default routes and memberships are a sandbox's: all workloads in it are touched with one.
void add_sharers(const Moment& moment, Scope& scope) {
  std::set<std::string> sandboxes;
  for (const Id& id : scope.workloads) {
    const auto found = moment.view.workloads.find(id);
    if (found != moment.view.workloads.end()) sandboxes.insert(found->second.sandbox);
  }
  for (const std::string& sandbox : sandboxes) {
    moment.index.workloads_in(sandbox, [&](const Id& id) { scope.workloads.insert(id); });
  }
}

// Endpoints of a touched workload may gain or lose their sandbox, and with it their places; those
// of a changed network their way out. Returns the networks that may appear or go.
std::set<Id> add_endpoints(const Moment& moment, Scope& scope) {
  const auto& [view, facts, index] = moment;
  std::set<Id> networks;
  for (const Id& network : scope.networks) {
    index.endpoints_in(network, [&](const Id& id) {
      const model::Endpoint& endpoint = view.endpoints.at(id);
      if (Survey::is_here(view, endpoint)) scope.workloads.insert(endpoint.workload);
    });
  }
  for (const Id& workload : scope.workloads) {
    index.endpoints_of(workload, [&](const Id& id) {
      const model::Endpoint& endpoint = view.endpoints.at(id);
      networks.insert(endpoint.network);
      if (!endpoint.service.empty()) scope.services.emplace(endpoint.network, endpoint.service);
    });
  }
  return networks;
}

void add_services(const View& view, Scope& scope) {
  for (const auto& [id, service] : view.services) {
    if (scope.networks.contains(service.network)) {
      scope.services.emplace(service.network, service.name);
    }
  }
}

bool same_numbers(const View& before, const View& after) {
  const NetworkNumbers earlier = number_networks(before);
  for (const auto& [id, number] : number_networks(after)) {
    const auto found = earlier.find(id);
    if (found != earlier.end() && found->second != number) return false;
  }
  return true;
}

bool same_facts(const driver::NodeFacts& before, const driver::NodeFacts& after) {
  driver::NodeFacts comparable = after;
  comparable.missing_sandboxes = before.missing_sandboxes;
  return comparable == before;
}

}  // namespace

HostState plan(const View& view, const driver::NodeFacts& facts, const driver::DriverSet& drivers) {
  const model::Index unused;
  const Moment moment{view, facts, unused};
  HostState into;
  for (const auto& driver : drivers.all()) driver->plan_node(view, facts, into);
  const Survey survey(view, facts);
  plan_networks(present_networks(view, survey), moment, drivers, into);
  plan_scope(moment, drivers, survey, nullptr, into);
  return into;
}

std::optional<std::vector<dataplane::Operation>> plan_change(const Moment& before,
                                                             const Moment& after,
                                                             const driver::DriverSet& drivers,
                                                             const model::ViewChange& change) {
  if (change.swarm || !same_facts(before.facts, after.facts)) return std::nullopt;
  if (!change.networks.empty() && !same_numbers(before.view, after.view)) return std::nullopt;
  Scope scope = named_by(change, before, after);
  std::set<Id> candidates;
  for (const Moment* moment : {&before, &after}) {
    add_sharers(*moment, scope);
    candidates.merge(add_endpoints(*moment, scope));
  }
  for (const Moment* moment : {&before, &after}) {
    // A changed network's other workloads may share sandboxes with further ones.
    if (!scope.networks.empty()) add_sharers(*moment, scope);
  }
  // A survey of nothing still tells who is present.
  const Scope nothing;
  const Survey earlier(before.view, before.facts, before.index, nothing);
  const Survey later(after.view, after.facts, after.index, nothing);
  for (const Id& id : candidates) {
    if (earlier.present(id) != later.present(id)) scope.networks.insert(id);
  }
  HostState was;
  HostState wanted;
  if (!scope.networks.empty()) {
    add_services(before.view, scope);
    add_services(after.view, scope);
  }
  if (!scope.networks.empty() || !change.blocks.empty()) {
    plan_networks(present_networks(before.view, earlier), before, drivers, was);
    plan_networks(present_networks(after.view, later), after, drivers, wanted);
  }
  const Survey survey_before(before.view, before.facts, before.index, scope);
  plan_scope(before, drivers, survey_before, &scope, was);
  const Survey survey_after(after.view, after.facts, after.index, scope);
  plan_scope(after, drivers, survey_after, &scope, wanted);
  return diff(wanted, was);
}

Result<> check_network(const model::Network& network, const View& view,
                       const driver::NodeFacts& facts, const driver::DriverSet& drivers) {
  TRY(const driver::Driver* driver, drivers.get(network.driver));
  if (network.scope != driver->scope()) {
    return fail(Errc::invalid, "driver " + network.driver + " makes networks of scope " +
                                   std::string(model::format(driver->scope())));
  }
  TRY_DO(driver->validate(network, facts));
  if (network.scope != model::Scope::local || network.config_only) return {};
  const driver::Claim claim = driver->claim(network);
  for (const auto& [id, other] : view.networks) {
    const driver::Driver* others = drivers.find(other.driver);
    if (id == network.id || others == nullptr || other.config_only) continue;
    TRY_DO(check_claims(claim, others->claim(other), other.name));
  }
  return {};
}

Result<> check_endpoint(const model::Endpoint& endpoint, const View& view,
                        const driver::DriverSet& drivers) {
  const auto network = view.networks.find(endpoint.network);
  if (network == view.networks.end()) {
    return fail(Errc::not_found, "the network of this endpoint is gone");
  }
  TRY(const driver::Driver* driver, drivers.get(network->second.driver));
  return driver->check_endpoint(network->second, endpoint, view);
}

}  // namespace heddle::reconcile
