#include "netd/server/translate.h"

#include <algorithm>

#include "netd/api/codec.h"

namespace heddle::server {
namespace {

Result<std::uint16_t> port_of(std::uint32_t number, std::string_view what) {
  if (number > 65535) {
    return fail(Errc::invalid,
                std::string(what) + " " + std::to_string(number) + " is not from 1 to 65535");
  }
  return static_cast<std::uint16_t>(number);
}

Result<std::optional<IpAddr>> optional_address(const std::string& text, std::string_view what) {
  if (text.empty()) return std::optional<IpAddr>();
  TRY(const IpAddr address, IpAddr::parse(text).during(what));
  return std::optional(address);
}

constexpr std::string_view state_name(mesh::ProxyState state) {
  switch (state) {
    case mesh::ProxyState::starting:
      return "starting";
    case mesh::ProxyState::ready:
      return "ready";
    case mesh::ProxyState::failed:
      return "failed";
  }
  return "failed";
}

}  // namespace

std::string join_command(const std::string& token, const std::string& manager) {
  return "heddle swarm join --token " + token + " " + manager;
}

Result<control::NetworkSpec> network_spec(const api::v1::CreateNetworkRequest& request) {
  control::NetworkSpec spec;
  spec.name = request.name();
  spec.driver = request.driver();
  for (const auto& text : request.subnets()) {
    TRY(const Prefix prefix, Prefix::parse(text).during("subnet"));
    spec.subnets.push_back(prefix);
  }
  for (const auto& text : request.gateways()) {
    TRY(const IpAddr address, IpAddr::parse(text).during("gateway"));
    spec.gateways.push_back(address);
  }
  spec.internal = request.internal();
  spec.options = {request.options().begin(), request.options().end()};
  spec.labels = {request.labels().begin(), request.labels().end()};
  return spec;
}

Result<control::ConnectSpec> connect_spec(const api::v1::ConnectRequest& request) {
  control::ConnectSpec spec;
  spec.network = request.network();
  spec.workload = request.workload();
  TRY(spec.address, optional_address(request.address(), "address"));
  spec.interface = request.interface();
  spec.aliases = {request.aliases().begin(), request.aliases().end()};
  spec.service = request.service();
  for (const auto& port : request.ports()) {
    TRY(model::ServicePort value, api::from_proto(port));
    spec.ports.push_back(std::move(value));
  }
  return spec;
}

Result<control::RunSpec> run_spec(const api::v1::RunRequest& request) {
  control::RunSpec spec;
  spec.name = request.name();
  spec.command = {request.command().begin(), request.command().end()};
  spec.environment = {request.environment().begin(), request.environment().end()};
  spec.directory = request.directory();
  switch (request.restart()) {
    case model::v1::RESTART_NO:
      spec.restart = model::RestartPolicy::no;
      break;
    case model::v1::RESTART_ON_FAILURE:
      spec.restart = model::RestartPolicy::on_failure;
      break;
    case model::v1::RESTART_ALWAYS:
      spec.restart = model::RestartPolicy::always;
      break;
    default:
      return fail(Errc::invalid, "restart policy is none of no, on-failure, always");
  }
  for (const auto& network : request.networks()) {
    TRY(control::ConnectSpec value, connect_spec(network));
    spec.networks.push_back(std::move(value));
  }
  spec.labels = {request.labels().begin(), request.labels().end()};
  return spec;
}

Result<control::LoadBalancerSpec> load_balancer_spec(
    const api::v1::CreateLoadBalancerRequest& request) {
  control::LoadBalancerSpec spec;
  spec.name = request.name();
  spec.network = request.network();
  for (const auto& listener : request.listeners()) {
    TRY(model::LbListener value, api::from_proto(listener));
    spec.listeners.push_back(std::move(value));
  }
  for (const auto& group : request.target_groups()) {
    TRY(model::TargetGroup value, api::from_proto(group));
    spec.target_groups.push_back(std::move(value));
  }
  return spec;
}

Result<control::Daemon::SwarmInit> swarm_init(const api::v1::SwarmInitRequest& request) {
  control::Daemon::SwarmInit init;
  TRY(init.advertise, optional_address(request.advertise_address(), "advertise address"));
  TRY(init.data_address, optional_address(request.data_address(), "data path address"));
  TRY(const std::uint16_t api_port, port_of(request.api_port(), "API port"));
  if (api_port != 0) init.api_port = api_port;
  TRY(const std::uint16_t vxlan_port, port_of(request.vxlan_port(), "data path port"));
  if (vxlan_port != 0) init.vxlan_port = vxlan_port;
  if (!request.pool().empty()) {
    TRY(init.pool, Prefix::parse(request.pool()).during("address pool"));
  }
  return init;
}

Result<control::Daemon::SwarmJoin> swarm_join(const api::v1::SwarmJoinRequest& request) {
  control::Daemon::SwarmJoin join;
  join.token = request.token();
  join.manager = request.manager();
  TRY(join.advertise, optional_address(request.advertise_address(), "advertise address"));
  TRY(join.data_address, optional_address(request.data_address(), "data path address"));
  TRY(const std::uint16_t api_port, port_of(request.api_port(), "API port"));
  if (api_port != 0) join.api_port = api_port;
  return join;
}

void fill(const model::View& view, const model::Network& network, api::v1::NetworkDetails& out) {
  api::to_proto(network, *out.mutable_network());
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network == network.id) api::to_proto(endpoint, *out.add_endpoints());
  }
}

void fill(const model::View& view, const model::Service& service, api::v1::ServiceDetails& out) {
  api::to_proto(service, *out.mutable_service());
  if (const auto network = view.networks.find(service.network); network != view.networks.end()) {
    out.set_network_name(network->second.name);
  }
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.network != service.network || endpoint.service != service.name) continue;
    auto& backend = *out.add_backends();
    api::to_proto(endpoint, *backend.mutable_endpoint());
    if (const auto node = view.nodes.find(endpoint.node); node != view.nodes.end()) {
      backend.set_node_name(node->second.name);
    }
    backend.set_reachable(!view.unreachable.contains(endpoint.node));
  }
}

void fill(const control::ProxiedWorkload& proxied, api::v1::SidecarStatus& out) {
  api::to_proto(proxied.workload, *out.mutable_workload());
  out.set_state(std::string(state_name(proxied.status.state)));
  out.set_pid(proxied.status.pid);
  out.set_metrics(proxied.status.metrics);
  for (const std::uint16_t port : proxied.inbound) out.add_inbound_ports(port);
}

void fill(const model::View& view, const model::LoadBalancer& balancer,
          const mesh::ProxyStatus& status, api::v1::LoadBalancerStatus& out) {
  api::to_proto(balancer, *out.mutable_load_balancer());
  out.set_state(std::string(state_name(status.state)));
  out.set_pid(status.pid);
  out.set_metrics(status.metrics);
  if (const auto network = view.networks.find(balancer.network); network != view.networks.end()) {
    out.set_network_name(network->second.name);
  }
}

void fill(const control::SystemInfo& info, const model::View& view, api::v1::SystemInfoReply& out) {
  out.set_version(HEDDLE_VERSION);
  out.set_node_name(info.node_name);
  out.set_kernel(info.kernel);
  out.set_state_dir(info.state_dir);
  out.set_run_dir(info.run_dir);
  out.set_cgroup(info.cgroup);
  out.set_swarm(info.role == cluster::Cluster::Role::none     ? "inactive"
                : info.role == cluster::Cluster::Role::worker ? "worker"
                                                              : "manager");
  for (const auto& capability : info.capabilities) {
    auto& entry = *out.add_capabilities();
    entry.set_name(capability.name);
    entry.set_present(capability.present);
    entry.set_lost(capability.lost);
  }
  for (const auto& drop : info.drops) {
    auto& entry = *out.add_drops();
    entry.set_reason(drop.reason);
    entry.set_packets(drop.packets);
    entry.set_bytes(drop.bytes);
  }
  out.set_networks(static_cast<std::uint32_t>(view.networks.size()));
  out.set_workloads(static_cast<std::uint32_t>(view.workloads.size()));
  out.set_endpoints(static_cast<std::uint32_t>(std::ranges::count_if(
      view.endpoints, [&](const auto& entry) { return view.is_local(entry.second); })));
}

}  // namespace heddle::server
