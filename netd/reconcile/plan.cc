#include "netd/reconcile/plan.h"

#include <algorithm>

#include "dataplane/intent/loopback.h"
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

// One entry per port of the service. Without a usable backend the list is empty, and connects are
// refused at once instead of timing out.
void plan_service(const Survey& survey, const model::Service& service, std::uint32_t number,
                  HostState& into) {
  if (!service.vip.is_v4() || service.vip.is_unspecified()) return;
  const std::vector<const model::Endpoint*>& backends =
      survey.backends(service.network, service.name);
  for (const model::ServicePort& port : service.ports) {
    dataplane::ServiceEntry entry{number, service.vip, port.port, protocol_of(port.protocol), {}};
    for (const model::Endpoint* backend : backends) {
      if (serves(*backend, port)) {
        entry.backends.push_back({backend->address.address, port.port});
      }
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

// plan_network() of every present network into a state that is thrown away apart from what is whole
// in the kernel: a part of the nft table cannot be set.
void plan_whole_tables(const Survey& survey, const driver::NodeFacts& facts,
                       const driver::DriverSet& drivers, HostState& into) {
  HostState all;
  for (const auto& [id, site] : survey.sites()) {
    if (const driver::Driver* driver = drivers.find(site.network.driver)) {
      driver->plan_network(site, facts, all);
    }
  }
  into.masquerades = std::move(all.masquerades);
  into.rules = std::move(all.rules);
  into.sysctls = std::move(all.sysctls);
}

void plan_services(const Survey& survey, const View& view, const NetworkNumbers& numbers,
                   HostState& into) {
  for (const auto& [id, service] : view.services) {
    if (survey.site(service.network) == nullptr) continue;
    plan_service(survey, service, numbers.at(service.network), into);
  }
}

// The site cut down to one endpoint and the others of its sandbox.
driver::Site narrowed(const driver::Site& site, const Id& endpoint, const std::string& sandbox) {
  driver::Site part{site.network, site.view, {}, {}};
  for (const driver::LocalEndpoint& local : site.local) {
    if (!sandbox.empty() && local.workload->sandbox == sandbox) part.local.push_back(local);
  }
  for (const model::Endpoint* remote : site.remote) {
    if (remote->id == endpoint) part.remote.push_back(remote);
  }
  return part;
}

// What one endpoint touches. `networks`: those planned whole, since they appear or go with it.
struct Touched {
  Id endpoint;
  std::set<Id> workloads;
  std::set<std::pair<Id, std::string>> services;  // network, service name
  std::set<Id> networks;
};

HostState plan_touched(const View& view, const driver::NodeFacts& facts,
                       const driver::DriverSet& drivers, const Touched& touched) {
  const Survey survey(view, facts);
  const NetworkNumbers numbers = number_networks(view);
  HostState into;
  plan_whole_tables(survey, facts, drivers, into);

  std::set<std::string> sandboxes{""};  // one round for what belongs to no sandbox here
  for (const Id& id : touched.workloads) {
    const model::Workload* workload = plannable(view, facts, id);
    if (workload == nullptr) continue;
    sandboxes.insert(workload->sandbox);
    if (view.sidecars.contains(id)) plan_interception(*workload, view, facts, into);
  }
  for (const auto& [id, site] : survey.sites()) {
    const driver::Driver* driver = drivers.find(site.network.driver);
    if (driver == nullptr) continue;
    if (touched.networks.contains(id)) {
      driver->plan_network(site, facts, into);
      driver->plan_endpoints(site, facts, into);
      continue;
    }
    for (const std::string& sandbox : sandboxes) {
      driver->plan_endpoints(narrowed(site, touched.endpoint, sandbox), facts, into);
    }
  }
  for (const std::string& sandbox : sandboxes) {
    const auto membership = survey.sandboxes().find(sandbox);
    if (membership == survey.sandboxes().end()) continue;
    plan_member(sandbox, membership->second, numbers, into);
  }
  for (const auto& [id, service] : view.services) {
    if (survey.site(service.network) == nullptr) continue;
    if (touched.networks.contains(service.network) ||
        touched.services.contains({service.network, service.name})) {
      plan_service(survey, service, numbers.at(service.network), into);
    }
  }
  into.sysctls.merge(dataplane::loopback_settings(into));
  return into;
}

bool present(const View& view, const driver::NodeFacts& facts, const Id& network) {
  return std::ranges::any_of(view.endpoints, [&](const auto& entry) {
    const model::Endpoint& endpoint = entry.second;
    return endpoint.network == network && endpoint.state != model::EndpointState::gone &&
           Survey::is_here(view, endpoint) && plannable(view, facts, endpoint.workload) != nullptr;
  });
}

}  // namespace

HostState plan(const View& view, const driver::NodeFacts& facts, const driver::DriverSet& drivers) {
  const Survey survey(view, facts);
  const NetworkNumbers numbers = number_networks(view);
  HostState into;
  for (const auto& driver : drivers.all()) driver->plan_node(view, facts, into);
  for (const auto& [id, site] : survey.sites()) {
    const driver::Driver* driver = drivers.find(site.network.driver);
    if (driver == nullptr) continue;
    driver->plan_network(site, facts, into);
    driver->plan_endpoints(site, facts, into);
  }
  for (const auto& [sandbox, networks] : survey.sandboxes()) {
    plan_member(sandbox, networks, numbers, into);
  }
  plan_services(survey, view, numbers, into);
  for (const auto& [id, sidecar] : view.sidecars) {
    const model::Workload* workload = plannable(view, facts, sidecar.workload);
    if (workload != nullptr) plan_interception(*workload, view, facts, into);
  }
  into.sysctls.merge(dataplane::loopback_settings(into));
  return into;
}

std::vector<dataplane::Operation> plan_endpoint(const View& before, const View& after,
                                                const driver::NodeFacts& facts,
                                                const driver::DriverSet& drivers,
                                                const Id& endpoint) {
  // What was planned for a sandbox that has died since is still in the maps.
  driver::NodeFacts earlier = facts;
  earlier.missing_sandboxes.clear();

  Touched touched;
  touched.endpoint = endpoint;
  for (const View* view : {&before, &after}) {
    const auto found = view->endpoints.find(endpoint);
    if (found == view->endpoints.end()) continue;
    const model::Endpoint& subject = found->second;
    if (Survey::is_here(*view, subject)) touched.workloads.insert(subject.workload);
    if (!subject.service.empty()) touched.services.emplace(subject.network, subject.service);
    if (present(before, earlier, subject.network) != present(after, facts, subject.network)) {
      touched.networks.insert(subject.network);
    }
  }
  return diff(plan_touched(after, facts, drivers, touched),
              plan_touched(before, earlier, drivers, touched));
}

Result<> check_network(const model::Network& network, const View& view,
                       const driver::NodeFacts& facts, const driver::DriverSet& drivers) {
  TRY(const driver::Driver* driver, drivers.get(network.driver));
  if (network.scope != driver->scope()) {
    return fail(Errc::invalid, "driver " + network.driver + " makes networks of scope " +
                                   std::string(model::format(driver->scope())));
  }
  TRY_DO(driver->validate(network, facts));
  if (network.scope != model::Scope::local) return {};
  for (const auto& [id, other] : view.networks) {
    if (id == network.id || other.driver != network.driver) continue;
    if (driver->device(other) == driver->device(network)) {
      return fail(Errc::conflict, "device " + driver->device(network) + " belongs to network " +
                                      other.name + "; choose another name");
    }
  }
  return {};
}

}  // namespace heddle::reconcile
