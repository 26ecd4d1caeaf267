#include "netd/mesh/plan.h"

#include <algorithm>

namespace heddle::mesh {
namespace {

const IpAddr kLoopback = IpAddr::v4(0x7f000001);

std::string network_name(const model::View& view, const model::Id& id) {
  const auto it = view.networks.find(id);
  return it == view.networks.end() ? id : it->second.name;
}

using Endpoints = std::vector<const model::Endpoint*>;

// Of workloads with a sidecar, found in one pass however many there are.
std::map<model::Id, Endpoints> endpoints_of_sidecars(const model::View& view) {
  std::map<model::Id, Endpoints> found;
  if (view.sidecars.empty()) return found;
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.state == model::EndpointState::gone) continue;
    if (view.sidecars.contains(endpoint.workload)) found[endpoint.workload].push_back(&endpoint);
  }
  return found;
}

// The ports that the workload serves as a backend; the same that are steered to the proxy.
std::vector<InboundPort> inbound_ports(const model::View& view, const Endpoints& endpoints) {
  std::map<std::uint16_t, InboundPort> ports;
  for (const model::Endpoint* endpoint : endpoints) {
    if (endpoint->service.empty()) continue;
    for (const auto& port : endpoint->ports) {
      if (port.protocol != model::Protocol::tcp) continue;
      ports.emplace(port.port,
                    InboundPort{port.port, protocol_of(port.app),
                                endpoint->service + "." + network_name(view, endpoint->network)});
    }
  }
  std::vector<InboundPort> all;
  for (auto& [number, port] : ports) all.push_back(std::move(port));
  return all;
}

ProxyPlan plan_sidecar(const model::View& view, const model::Workload& workload,
                       const Endpoints& endpoints, const SidecarPorts& ports) {
  ProxyPlan plan{workload.id, workload.name, workload.sandbox, {}, {}, {}, {}};
  plan.sockets = {{"outbound", SocketPlan::Where::sandbox, {kLoopback, ports.outbound}},
                  {"inbound", SocketPlan::Where::sandbox, {kLoopback, ports.inbound}}};
  Listener outbound;
  outbound.name = outbound.socket = "outbound";
  outbound.kind = ListenerKind::outbound;
  Listener inbound;
  inbound.name = inbound.socket = "inbound";
  inbound.kind = ListenerKind::inbound;
  inbound.inbound_ports = inbound_ports(view, endpoints);
  plan.listeners = {std::move(outbound), std::move(inbound)};
  for (const model::Endpoint* endpoint : endpoints) plan.networks.insert(endpoint->network);
  return plan;
}

ListenerKind kind_of(model::AppProtocol protocol) {
  return protocol == model::AppProtocol::tcp ? ListenerKind::tcp : ListenerKind::http;
}

// By priority; equal ones keep their order and get numbers of their own, which the proxy demands.
std::vector<Rule> rules_of(const model::LbListener& listener) {
  std::vector<Rule> rules;
  for (const auto& rule : listener.rules)
    rules.push_back({rule.priority, rule.host, rule.path_prefix, rule.target_group});
  std::ranges::stable_sort(rules, {}, &Rule::priority);
  for (std::size_t i = 1; i < rules.size(); ++i)
    rules[i].priority = std::max(rules[i].priority, rules[i - 1].priority + 1);
  return rules;
}

ProxyPlan plan_load_balancer(const model::LoadBalancer& balancer, const model::Workload& workload) {
  ProxyPlan plan{workload.id, workload.name, workload.sandbox, {}, {}, {}, {}};
  for (const auto& listener : balancer.listeners) {
    const std::string socket = socket_name(listener.address);
    plan.sockets.push_back({socket, SocketPlan::Where::host, listener.address});
    Listener made;
    made.name = listener.address.format();
    made.kind = kind_of(listener.protocol);
    made.socket = socket;
    made.default_target_group = listener.default_target_group;
    made.rules = rules_of(listener);
    plan.listeners.push_back(std::move(made));
  }
  for (const auto& group : balancer.target_groups) {
    const auto algorithm = group.algorithm == model::LbAlgorithm::least_request
                               ? Algorithm::least_request
                               : Algorithm::round_robin;
    plan.groups[group.name] = {{balancer.network, group.service, group.port}, algorithm};
  }
  return plan;
}

}  // namespace

Protocol protocol_of(model::AppProtocol protocol) {
  switch (protocol) {
    case model::AppProtocol::automatic:
      return Protocol::automatic;
    case model::AppProtocol::tcp:
      return Protocol::tcp;
    case model::AppProtocol::http1:
      return Protocol::http1;
    case model::AppProtocol::http2:
      return Protocol::http2;
  }
  return Protocol::automatic;
}

std::string socket_name(const SocketAddr& address) {
  return address.address.format() + "-" + std::to_string(address.port);
}

std::map<model::Id, ProxyPlan> plan_proxies(const model::View& view, const SidecarPorts& ports) {
  std::map<model::Id, ProxyPlan> plans;
  auto endpoints = endpoints_of_sidecars(view);
  for (const auto& [id, sidecar] : view.sidecars) {
    const auto workload = view.workloads.find(id);
    if (workload == view.workloads.end()) continue;  // another node's
    if (workload->second.state == model::WorkloadState::gone) continue;
    if (workload->second.sandbox.empty()) continue;  // a container that does not run
    plans.emplace(id, plan_sidecar(view, workload->second, endpoints[id], ports));
  }
  for (const auto& [id, balancer] : view.load_balancers) {
    const auto workload = view.workloads.find(id);
    if (balancer.node != view.self || workload == view.workloads.end()) continue;
    plans.emplace(id, plan_load_balancer(balancer, workload->second));
  }
  return plans;
}

}  // namespace heddle::mesh
