#include "netd/client/translate.h"

#include "netd/api/codec.h"
#include "netd/api/heddle.pb.h"

namespace heddle::client {
namespace {

template <class Map>
void put_map(const std::map<std::string, std::string>& from, Map& to) {
  for (const auto& [key, value] : from) to[key] = value;
}

Result<std::vector<model::Endpoint>> read_endpoints(
    const google::protobuf::RepeatedPtrField<model::v1::Endpoint>& from) {
  std::vector<model::Endpoint> to;
  for (const auto& message : from) {
    TRY(auto endpoint, api::from_proto(message).during("endpoints"));
    to.push_back(std::move(endpoint));
  }
  return to;
}

// What creating and changing a network have in common.
void put_addressing(const auto& from, auto& request) {
  for (const auto& subnet : from.subnets) request.add_subnets(subnet);
  for (const auto& gateway : from.gateways) request.add_gateways(gateway);
  for (const auto& range : from.ranges) request.add_ranges(range);
  put_map(from.reserved, *request.mutable_reserved());
  request.set_ipv6(from.ipv6);
  put_map(from.options, *request.mutable_options());
  put_map(from.labels, *request.mutable_labels());
}

}  // namespace

void fill(const NetworkDraft& draft, api::v1::CreateNetworkRequest& request) {
  request.set_name(draft.name);
  request.set_driver(draft.driver);
  put_addressing(draft, request);
  request.set_internal(draft.internal);
  if (draft.scope) request.set_scope(static_cast<model::v1::Scope>(*draft.scope));
  request.set_no_ipv4(!draft.ipv4);
  request.set_not_attachable(!draft.attachable);
  request.set_config_only(draft.config_only);
  request.set_config_from(draft.config_from);
}

void fill(const NetworkChange& change, api::v1::UpdateNetworkRequest& request) {
  request.set_network(change.network);
  put_addressing(change, request);
  for (const auto& label : change.removed_labels) request.add_removed_labels(label);
}

void fill(const std::vector<Filter>& filters,
          google::protobuf::RepeatedPtrField<api::v1::Filter>& to) {
  for (const auto& filter : filters) {
    auto& entry = *to.Add();
    entry.set_key(filter.key);
    entry.set_value(filter.value);
  }
}

void fill(const Attachment& attachment, api::v1::ConnectRequest& request) {
  request.set_network(attachment.network);
  request.set_workload(attachment.workload);
  request.set_address(attachment.address);
  request.set_interface(attachment.interface);
  for (const auto& alias : attachment.aliases) request.add_aliases(alias);
  request.set_service(attachment.service);
  for (const auto& port : attachment.ports) api::to_proto(port, *request.add_ports());
  request.set_address6(attachment.address6);
  for (const auto& address : attachment.link_local) request.add_link_local(address);
  request.set_mac(attachment.mac);
  for (const auto& port : attachment.published) api::to_proto(port, *request.add_published());
  request.set_gateway_priority(attachment.gateway_priority);
  put_map(attachment.sysctls, *request.mutable_sysctls());
  put_map(attachment.options, *request.mutable_options());
  request.set_rate_in(attachment.rate_in);
  request.set_rate_out(attachment.rate_out);
}

void fill(const Publication& publication, api::v1::PublishRequest& request) {
  request.set_network(publication.network);
  request.set_workload(publication.workload);
  for (const auto& port : publication.add) api::to_proto(port, *request.add_add());
  for (const auto& port : publication.remove) api::to_proto(port, *request.add_remove());
}

void fill(const RunDraft& draft, api::v1::RunRequest& request) {
  request.set_name(draft.name);
  for (const auto& argument : draft.command) request.add_command(argument);
  put_map(draft.environment, *request.mutable_environment());
  request.set_directory(draft.directory);
  request.set_restart(static_cast<model::v1::RestartPolicy>(draft.restart));
  for (const auto& network : draft.networks) fill(network, *request.add_networks());
  put_map(draft.labels, *request.mutable_labels());
}

void fill(const LoadBalancerDraft& draft, api::v1::CreateLoadBalancerRequest& request) {
  request.set_name(draft.name);
  request.set_network(draft.network);
  for (const auto& listener : draft.listeners) api::to_proto(listener, *request.add_listeners());
  for (const auto& group : draft.target_groups) {
    api::to_proto(group, *request.add_target_groups());
  }
}

Result<NetworkDetails> read(const api::v1::NetworkDetails& reply) {
  NetworkDetails details;
  TRY(details.network, api::from_proto(reply.network()).during("network"));
  TRY(details.endpoints, read_endpoints(reply.endpoints()));
  details.device = reply.device();
  for (const auto& message : reply.subnets()) {
    TRY(const Prefix prefix, Prefix::parse(message.prefix()).during("subnets"));
    details.subnets.push_back({prefix, message.used(), message.free(), message.conflict()});
  }
  details.endpoint_devices = {reply.endpoint_devices().begin(), reply.endpoint_devices().end()};
  return details;
}

Result<EndpointPorts> read(const api::v1::EndpointPorts& reply) {
  EndpointPorts ports;
  ports.workload_name = reply.workload_name();
  ports.network_name = reply.network_name();
  TRY(ports.address, IpAddr::parse(reply.address()).during("address"));
  for (const auto& message : reply.published()) {
    TRY(const auto port, api::from_proto(message).during("published"));
    ports.published.push_back(port);
  }
  return ports;
}

Result<Started> read(const api::v1::RunReply& reply) {
  Started started;
  TRY(started.workload, api::from_proto(reply.workload()).during("workload"));
  TRY(started.endpoints, read_endpoints(reply.endpoints()));
  return started;
}

Result<ServiceDetails> read(const api::v1::ServiceDetails& reply) {
  ServiceDetails details;
  TRY(details.service, api::from_proto(reply.service()).during("service"));
  details.network_name = reply.network_name();
  for (const auto& message : reply.backends()) {
    TRY(auto endpoint, api::from_proto(message.endpoint()).during("backends"));
    details.backends.push_back({std::move(endpoint), message.node_name(), message.reachable()});
  }
  return details;
}

Result<NodeEntry> read(const api::v1::NodeEntry& reply) {
  NodeEntry entry;
  TRY(entry.node, api::from_proto(reply.node()).during("node"));
  entry.self = reply.self();
  entry.reachable = reply.reachable();
  entry.manager_status = reply.manager_status();
  return entry;
}

Result<NodeEndpoint> read(const api::v1::NodeEndpoint& reply) {
  NodeEndpoint read;
  TRY(read.endpoint, api::from_proto(reply.endpoint()).during("endpoint"));
  read.network_name = reply.network_name();
  return read;
}

Result<SidecarStatus> read(const api::v1::SidecarStatus& reply) {
  SidecarStatus status;
  TRY(status.workload, api::from_proto(reply.workload()).during("workload"));
  status.state = reply.state();
  status.pid = reply.pid();
  status.metrics = reply.metrics();
  for (const auto port : reply.inbound_ports()) {
    status.inbound_ports.push_back(static_cast<std::uint16_t>(port));
  }
  return status;
}

Result<LoadBalancerStatus> read(const api::v1::LoadBalancerStatus& reply) {
  LoadBalancerStatus status;
  TRY(status.load_balancer, api::from_proto(reply.load_balancer()).during("load_balancer"));
  status.state = reply.state();
  status.pid = reply.pid();
  status.metrics = reply.metrics();
  status.network_name = reply.network_name();
  return status;
}

SystemInfo read(const api::v1::SystemInfoReply& reply) {
  SystemInfo info{.version = reply.version(),
                  .node_name = reply.node_name(),
                  .kernel = reply.kernel(),
                  .state_dir = reply.state_dir(),
                  .run_dir = reply.run_dir(),
                  .cgroup = reply.cgroup(),
                  .swarm = reply.swarm(),
                  .capabilities = {},
                  .drops = {},
                  .networks = reply.networks(),
                  .endpoints = reply.endpoints(),
                  .workloads = reply.workloads(),
                  .notes = {reply.notes().begin(), reply.notes().end()},
                  .dns = {.host_resolver = reply.dns().host_resolver()}};
  for (const auto& message : reply.capabilities()) {
    info.capabilities.push_back({message.name(), message.present(), message.lost()});
  }
  for (const auto& message : reply.drops()) {
    info.drops.push_back({message.reason(), message.packets(), message.bytes()});
  }
  for (const auto& message : reply.dns().upstreams()) {
    info.dns.upstreams.push_back({message.address(), message.up()});
  }
  for (const auto& message : reply.dns().counters()) {
    info.dns.counters.push_back({message.name(), message.value()});
  }
  return info;
}

}  // namespace heddle::client
