#include "netd/server/translate.h"

#include <algorithm>

#include "netd/api/codec.h"
#include "netd/api/field.h"

namespace heddle::server {
namespace {

// As the whole swarm takes it: a node that is being drained makes its backends drain.
void put_endpoint(const model::View& view, const model::Endpoint& endpoint,
                  model::v1::Endpoint& out) {
  api::to_proto(endpoint, out);
  out.set_state(static_cast<model::v1::EndpointState>(view.state_of(endpoint)));
}

constexpr std::size_t kMaxNetworks = 256;  // of one workload, at its start

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

// A list of texts, each parsed by `parse`.
template <class T, class Texts>
Result<std::vector<T>> read_all(std::string_view what, const Texts& texts, std::size_t most,
                                Result<T> (*parse)(std::string_view)) {
  TRY_DO(api::check_count(what, static_cast<std::size_t>(texts.size()), most));
  std::vector<T> values;
  for (const auto& text : texts) {
    TRY(T value, parse(text).during(what));
    values.push_back(std::move(value));
  }
  return values;
}

template <class Texts>
Result<std::vector<std::string>> read_texts(std::string_view what, const Texts& texts) {
  TRY_DO(api::check_count(what, static_cast<std::size_t>(texts.size()), api::kMaxEntries));
  return std::vector<std::string>(texts.begin(), texts.end());
}

template <class T, class Messages>
Result<std::vector<T>> decode_all(std::string_view what, const Messages& messages) {
  TRY_DO(api::check_count(what, static_cast<std::size_t>(messages.size()), api::kMaxEntries));
  std::vector<T> values;
  for (const auto& message : messages) {
    TRY(T value, api::from_proto(message).during(what));
    values.push_back(std::move(value));
  }
  return values;
}

// What is stored must be readable again: the codec's bounds hold here too.
Result<std::map<std::string, std::string>> read_map(std::string_view what, const auto& from) {
  std::map<std::string, std::string> to(from.begin(), from.end());
  TRY_DO(api::check_map(what, to));
  return to;
}

// What creating and changing a network have in common.
Result<> read_addressing(const auto& request, auto& spec) {
  TRY(spec.subnets, read_all<Prefix>("subnet", request.subnets(), api::kMaxSubnets, Prefix::parse));
  TRY(spec.gateways,
      read_all<IpAddr>("gateway", request.gateways(), api::kMaxSubnets, IpAddr::parse));
  TRY(spec.ranges, read_all<Prefix>("range", request.ranges(), api::kMaxSubnets, Prefix::parse));
  TRY(spec.reserved, api::reserved_field("reserved address",
                                         {request.reserved().begin(), request.reserved().end()}));
  spec.ipv6 = request.ipv6();
  TRY(spec.options, read_map("option", request.options()));
  TRY(spec.labels, read_map("label", request.labels()));
  return {};
}

Result<> check_families(const control::ConnectSpec& spec) {
  if (spec.address6 && spec.address6->is_v4()) {
    return fail(Errc::invalid, "IPv6 address: " + spec.address6->format() + " is an IPv4 one");
  }
  if (spec.address && spec.address6 && !spec.address->is_v4()) {
    return fail(Errc::invalid, "address: there are two IPv6 ones, " + spec.address->format() +
                                   " and " + spec.address6->format());
  }
  return {};
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

Result<control::Daemon::ServiceSpec> service_spec(const api::v1::CreateServiceRequest& request) {
  control::Daemon::ServiceSpec spec;
  spec.name = request.name();
  spec.network = request.network();
  TRY(spec.ports, decode_all<model::ServicePort>("port", request.ports()));
  if (request.no_vip()) spec.vip = cluster::Cluster::Vip::no;
  TRY(spec.labels, read_map("label", request.labels()));
  return spec;
}

Result<cluster::Cluster::ServiceChange> service_change(
    const api::v1::UpdateServiceRequest& request) {
  cluster::Cluster::ServiceChange change;
  TRY(change.labels, read_map("label", request.labels()));
  TRY(change.removed_labels, read_texts("removed label", request.removed_labels()));
  return change;
}

Result<cluster::Cluster::NodeChange> node_change(const api::v1::UpdateNodeRequest& request) {
  cluster::Cluster::NodeChange change;
  if (request.has_availability()) {
    if (!model::v1::Availability_IsValid(request.availability())) {
      return fail(Errc::invalid, "availability is none of active, pause and drain");
    }
    change.availability = static_cast<model::Availability>(request.availability());
  }
  TRY(change.labels, read_map("label", request.labels()));
  TRY(change.removed_labels, read_texts("removed label", request.removed_labels()));
  return change;
}

std::string manager_status(cluster::Cluster::ManagerState::Standing standing) {
  switch (standing) {
    case cluster::Cluster::ManagerState::Standing::leader:
      return "leader";
    case cluster::Cluster::ManagerState::Standing::reachable:
      return "reachable";
    case cluster::Cluster::ManagerState::Standing::unreachable:
      break;
  }
  return "unreachable";
}

std::string join_command(const std::string& token, const std::string& manager) {
  return "heddle swarm join --token " + token + " " + manager;
}

Result<control::NetworkSpec> network_spec(const api::v1::CreateNetworkRequest& request) {
  control::NetworkSpec spec;
  spec.name = request.name();
  spec.driver = request.driver();
  if (request.has_scope()) {
    if (!model::v1::Scope_IsValid(request.scope())) {
      return fail(Errc::invalid, "scope is neither local nor swarm");
    }
    spec.scope =
        request.scope() == model::v1::SCOPE_SWARM ? model::Scope::swarm : model::Scope::local;
  }
  TRY_DO(read_addressing(request, spec));
  spec.ipv4 = !request.no_ipv4();
  spec.internal = request.internal();
  spec.attachable = !request.not_attachable();
  spec.config_only = request.config_only();
  spec.config_from = request.config_from();
  return spec;
}

Result<control::NetworkUpdate> network_update(const api::v1::UpdateNetworkRequest& request) {
  control::NetworkUpdate update;
  update.network = request.network();
  TRY_DO(read_addressing(request, update));
  TRY(update.removed_labels, read_texts("removed label", request.removed_labels()));
  return update;
}

Result<control::ConnectSpec> connect_spec(const api::v1::ConnectRequest& request) {
  control::ConnectSpec spec;
  spec.network = request.network();
  spec.workload = request.workload();
  TRY(spec.address, optional_address(request.address(), "address"));
  TRY(spec.address6, optional_address(request.address6(), "IPv6 address"));
  TRY_DO(check_families(spec));
  TRY(spec.link_local, read_all<IpAddr>("link-local address", request.link_local(),
                                        api::kMaxLinkLocal, IpAddr::parse));
  if (!request.mac().empty()) {
    TRY(spec.mac, api::mac_field("MAC address", request.mac()));
  }
  spec.interface = request.interface();
  TRY(spec.aliases, read_texts("alias", request.aliases()));
  spec.service = request.service();
  TRY(spec.ports, decode_all<model::ServicePort>("port", request.ports()));
  TRY(spec.published, decode_all<model::PublishedPort>("published port", request.published()));
  spec.gateway_priority = request.gateway_priority();
  TRY(spec.sysctls, read_map("sysctl", request.sysctls()));
  TRY_DO(api::check_sysctls("sysctl", spec.sysctls));
  TRY(spec.options, read_map("option", request.options()));
  spec.rate_in = request.rate_in();
  spec.rate_out = request.rate_out();
  return spec;
}

Result<control::PublishSpec> publish_spec(const api::v1::PublishRequest& request) {
  control::PublishSpec spec;
  spec.network = request.network();
  spec.workload = request.workload();
  TRY(spec.add, decode_all<model::PublishedPort>("port to publish", request.add()));
  TRY(spec.remove, decode_all<model::PublishedPort>("published port", request.remove()));
  if (spec.add.empty() && spec.remove.empty()) {
    return fail(Errc::invalid, "no port to publish or to take back is given");
  }
  return spec;
}

Result<control::RunSpec> run_spec(const api::v1::RunRequest& request) {
  control::RunSpec spec;
  spec.name = request.name();
  spec.command = {request.command().begin(), request.command().end()};
  TRY(spec.environment, read_map("environment", request.environment()));
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
  TRY_DO(api::check_count("networks", static_cast<std::size_t>(request.networks_size()),
                          kMaxNetworks));
  for (const auto& network : request.networks()) {
    TRY(control::ConnectSpec value, connect_spec(network));
    spec.networks.push_back(std::move(value));
  }
  TRY(spec.labels, read_map("label", request.labels()));
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
  if (request.force_new_cluster()) init.force_new_cluster = control::Force::yes;
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

void fill(const std::vector<control::SubnetUse>& uses, api::v1::NetworkDetails& out) {
  for (const auto& use : uses) {
    auto& to = *out.add_subnets();
    to.set_prefix(use.prefix.format());
    to.set_used(use.used);
    to.set_free(use.free);
    to.set_conflict(use.conflict);
  }
}

void fill(const model::View& view, const model::Workload* workload, api::v1::PortList& out) {
  for (const auto& [id, endpoint] : view.endpoints) {
    const bool asked = workload == nullptr || endpoint.workload == workload->id;
    if (!asked || !view.is_local(endpoint) || endpoint.published.empty()) continue;
    auto& to = *out.add_endpoints();
    to.set_workload_name(endpoint.workload_name);
    if (const auto it = view.networks.find(endpoint.network); it != view.networks.end()) {
      to.set_network_name(it->second.name);
    }
    to.set_address(endpoint.address.address.format());
    for (const auto& port : endpoint.published) api::to_proto(port, *to.add_published());
  }
}

void fill(const model::View& view, const model::Node& node, api::v1::NodeEndpointList& out) {
  for (const auto& [id, endpoint] : view.endpoints) {
    if (endpoint.node != node.id) continue;
    auto& to = *out.add_endpoints();
    put_endpoint(view, endpoint, *to.mutable_endpoint());
    if (const auto it = view.networks.find(endpoint.network); it != view.networks.end()) {
      to.set_network_name(it->second.name);
    }
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
    put_endpoint(view, endpoint, *backend.mutable_endpoint());
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
  for (const auto& text : info.notes) out.add_notes(text);
  api::v1::Dns& dns = *out.mutable_dns();
  dns.set_host_resolver(info.dns.host_resolver);
  for (const auto& [address, up] : info.dns.upstreams) {
    auto& entry = *dns.add_upstreams();
    entry.set_address(address.format());
    entry.set_up(up);
  }
  for (const auto& [name, value] : info.dns.counters) {
    auto& entry = *dns.add_counters();
    entry.set_name(name);
    entry.set_value(value);
  }
  out.set_networks(static_cast<std::uint32_t>(view.networks.size()));
  out.set_workloads(static_cast<std::uint32_t>(view.workloads.size()));
  out.set_endpoints(static_cast<std::uint32_t>(std::ranges::count_if(
      view.endpoints, [&](const auto& entry) { return view.is_local(entry.second); })));
}

}  // namespace heddle::server
