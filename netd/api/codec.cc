#include "netd/api/codec.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include "common/base/check.h"
#include "netd/api/field.h"
#include "netd/api/model.pb.h"
#include "netd/api/parts.h"

namespace heddle::api {
namespace {

// The enums of both sides count alike, so that a cast translates; each pair's ends are compared.
#define HEDDLE_SAME(ours, theirs) \
  static_assert(static_cast<int>(model::ours) == static_cast<int>(model::v1::theirs))
HEDDLE_SAME(Scope::local, SCOPE_LOCAL);
HEDDLE_SAME(Scope::swarm, SCOPE_SWARM);
HEDDLE_SAME(WorkloadKind::run, WORKLOAD_RUN);
HEDDLE_SAME(WorkloadKind::load_balancer, WORKLOAD_LOAD_BALANCER);
HEDDLE_SAME(WorkloadKind::podman, WORKLOAD_PODMAN);
HEDDLE_SAME(RestartPolicy::no, RESTART_NO);
HEDDLE_SAME(RestartPolicy::on_failure, RESTART_ON_FAILURE);
HEDDLE_SAME(RestartPolicy::always, RESTART_ALWAYS);
HEDDLE_SAME(WorkloadState::starting, WORKLOAD_STARTING);
HEDDLE_SAME(WorkloadState::running, WORKLOAD_RUNNING);
HEDDLE_SAME(WorkloadState::gone, WORKLOAD_GONE);
HEDDLE_SAME(AppProtocol::automatic, APP_AUTOMATIC);
HEDDLE_SAME(AppProtocol::http1, APP_HTTP1);
HEDDLE_SAME(AppProtocol::http2, APP_HTTP2);
HEDDLE_SAME(EndpointState::starting, ENDPOINT_STARTING);
HEDDLE_SAME(EndpointState::ready, ENDPOINT_READY);
HEDDLE_SAME(EndpointState::draining, ENDPOINT_DRAINING);
HEDDLE_SAME(EndpointState::gone, ENDPOINT_GONE);
HEDDLE_SAME(NodeRole::manager, NODE_MANAGER);
HEDDLE_SAME(NodeStatus::ready, NODE_READY);
HEDDLE_SAME(NodeStatus::down, NODE_DOWN);
HEDDLE_SAME(Availability::pause, NODE_PAUSE);
HEDDLE_SAME(Availability::drain, NODE_DRAIN);
HEDDLE_SAME(LbAlgorithm::round_robin, LB_ROUND_ROBIN);
HEDDLE_SAME(LbAlgorithm::least_request, LB_LEAST_REQUEST);
#undef HEDDLE_SAME

}  // namespace

Result<model::LbRule> from_proto(const model::v1::LbRule& message) {
  model::LbRule value;
  value.priority = message.priority();
  TRY(value.host, line_field("host", message.host(), kMaxHostName));
  TRY(value.path_prefix, path_field("path_prefix", message.path_prefix()));
  TRY(value.target_group, name_field("target_group", message.target_group(), Empty::refused));
  return value;
}

void to_proto(const model::LbRule& value, model::v1::LbRule& out) {
  out.Clear();
  out.set_priority(value.priority);
  out.set_host(value.host);
  out.set_path_prefix(value.path_prefix);
  out.set_target_group(value.target_group);
}

void to_proto(const model::Workload& value, model::v1::Workload& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_name(value.name);
  out.set_kind(static_cast<model::v1::WorkloadKind>(value.kind));
  out.set_sandbox(value.sandbox);
  out.set_sandbox_owner(value.sandbox_owner);
  for (const auto& argument : value.command) out.add_command(argument);
  put_map(value.environment, *out.mutable_environment());
  out.set_directory(value.directory);
  out.set_restart(static_cast<model::v1::RestartPolicy>(value.restart));
  put_map(value.labels, *out.mutable_labels());
  out.set_created(seconds(value.created));
  out.set_state(static_cast<model::v1::WorkloadState>(value.state));
  out.set_pid(value.pid);
  out.set_pid_start(value.pid_start);
  out.set_exit_status(value.exit_status);
  out.set_restarts(value.restarts);
  out.set_container(value.container);
  out.set_container_name(value.container_name);
  out.set_routed(value.routed);
  out.set_routed6(value.routed6);
}

Result<model::Workload> from_proto(const model::v1::Workload& message) {
  model::Workload value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.name, line_field("name", message.name(), kMaxPath));
  TRY(value.kind,
      enum_field<model::WorkloadKind>("kind", message.kind(), model::v1::WorkloadKind_IsValid));
  TRY(value.sandbox, path_field("sandbox", message.sandbox()));
  TRY(value.sandbox_owner, line_field("sandbox_owner", message.sandbox_owner(), 64));
  TRY_DO(check_count("command", static_cast<std::size_t>(message.command_size()), kMaxEntries));
  for (int i = 0; i < message.command_size(); ++i) {
    TRY(auto argument, argument_field(at("command", i), message.command(i)));
    value.command.push_back(std::move(argument));
  }
  TRY(value.environment, map_field("environment", message.environment()));
  TRY(value.directory, path_field("directory", message.directory()));
  TRY(value.restart, enum_field<model::RestartPolicy>("restart", message.restart(),
                                                      model::v1::RestartPolicy_IsValid));
  TRY(value.labels, map_field("labels", message.labels()));
  TRY(value.created, time_field("created", message.created()));
  TRY(value.state,
      enum_field<model::WorkloadState>("state", message.state(), model::v1::WorkloadState_IsValid));
  TRY_DO(check_range("pid", message.pid(), {0, 1 << 22}));  // PID_MAX_LIMIT, proc(5)
  value.pid = message.pid();
  TRY(value.pid_start, line_field("pid_start", message.pid_start(), 64));
  value.exit_status = message.exit_status();
  value.restarts = message.restarts();
  TRY(value.container, id_field("container", message.container()));
  TRY(value.container_name, line_field("container_name", message.container_name(), kMaxPath));
  value.routed = message.routed();
  value.routed6 = message.routed6();
  return value;
}

void to_proto(const model::Service& value, model::v1::Service& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_name(value.name);
  out.set_network(value.network);
  out.set_vip(value.vip.format());
  for (const auto& port : value.ports) to_proto(port, *out.add_ports());
  out.set_declared(value.declared);
  put_map(value.labels, *out.mutable_labels());
  out.set_created(seconds(value.created));
}

Result<model::Service> from_proto(const model::v1::Service& message) {
  model::Service value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.name, name_field("name", message.name(), Empty::refused));
  TRY(value.network, id_field("network", message.network()));
  TRY(value.vip, address_field("vip", message.vip()));
  TRY_DO(read_list("ports", message.ports(), value.ports));
  value.declared = message.declared();
  TRY(value.labels, map_field("labels", message.labels()));
  TRY(value.created, time_field("created", message.created()));
  return value;
}

void to_proto(const model::Node& value, model::v1::Node& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_name(value.name);
  out.set_role(static_cast<model::v1::NodeRole>(value.role));
  out.set_address(value.address.format());
  out.set_api_port(value.api_port);
  out.set_data_address(value.data_address.format());
  out.set_epoch(value.epoch);
  out.set_status(static_cast<model::v1::NodeStatus>(value.status));
  out.set_joined(seconds(value.joined));
  out.set_availability(static_cast<model::v1::Availability>(value.availability));
  put_map(value.labels, *out.mutable_labels());
}

Result<model::Node> from_proto(const model::v1::Node& message) {
  model::Node value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.name, line_field("name", message.name(), kMaxHostName));
  TRY(value.role, enum_field<model::NodeRole>("role", message.role(), model::v1::NodeRole_IsValid));
  TRY(value.address, address_field("address", message.address()));
  TRY(value.api_port, port_field("api_port", message.api_port()));
  TRY(value.data_address, address_field("data_address", message.data_address()));
  value.epoch = message.epoch();
  TRY(value.status,
      enum_field<model::NodeStatus>("status", message.status(), model::v1::NodeStatus_IsValid));
  TRY(value.joined, time_field("joined", message.joined()));
  TRY(value.availability, enum_field<model::Availability>("availability", message.availability(),
                                                          model::v1::Availability_IsValid));
  TRY(value.labels, map_field("labels", message.labels()));
  return value;
}

void to_proto(const model::AddressBlock& value, model::v1::AddressBlock& out) {
  out.Clear();
  out.set_network(value.network);
  out.set_prefix(value.prefix.format());
  out.set_node(value.node);
}

Result<model::AddressBlock> from_proto(const model::v1::AddressBlock& message) {
  model::AddressBlock value;
  TRY(value.network, id_field("network", message.network()));
  TRY(value.prefix, prefix_field("prefix", message.prefix()));
  TRY(value.node, id_field("node", message.node()));
  return value;
}

void to_proto(const model::Sidecar& value, model::v1::Sidecar& out) {
  out.Clear();
  out.set_workload(value.workload);
}

Result<model::Sidecar> from_proto(const model::v1::Sidecar& message) {
  model::Sidecar value;
  TRY(value.workload, id_field("workload", message.workload()));
  return value;
}

void to_proto(const model::LbListener& value, model::v1::LbListener& out) {
  out.Clear();
  out.set_address(value.address.format());
  out.set_protocol(static_cast<model::v1::AppProtocol>(value.protocol));
  out.set_default_target_group(value.default_target_group);
  for (const auto& rule : value.rules) to_proto(rule, *out.add_rules());
}

Result<model::LbListener> from_proto(const model::v1::LbListener& message) {
  model::LbListener value;
  TRY(value.address, socket_field("address", message.address()));
  TRY_DO(port_field("address", value.address.port).during("port"));
  TRY(value.protocol, enum_field<model::AppProtocol>("protocol", message.protocol(),
                                                     model::v1::AppProtocol_IsValid));
  TRY(value.default_target_group,
      name_field("default_target_group", message.default_target_group(), Empty::allowed));
  TRY_DO(read_list("rules", message.rules(), value.rules));
  return value;
}

void to_proto(const model::TargetGroup& value, model::v1::TargetGroup& out) {
  out.Clear();
  out.set_name(value.name);
  out.set_service(value.service);
  out.set_port(value.port);
  out.set_algorithm(static_cast<model::v1::LbAlgorithm>(value.algorithm));
}

Result<model::TargetGroup> from_proto(const model::v1::TargetGroup& message) {
  model::TargetGroup value;
  TRY(value.name, name_field("name", message.name(), Empty::refused));
  TRY(value.service, name_field("service", message.service(), Empty::refused));
  TRY(value.port, port_field("port", message.port()));
  TRY(value.algorithm, enum_field<model::LbAlgorithm>("algorithm", message.algorithm(),
                                                      model::v1::LbAlgorithm_IsValid));
  return value;
}

void to_proto(const model::LoadBalancer& value, model::v1::LoadBalancer& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_name(value.name);
  out.set_network(value.network);
  out.set_node(value.node);
  for (const auto& listener : value.listeners) to_proto(listener, *out.add_listeners());
  for (const auto& group : value.target_groups) to_proto(group, *out.add_target_groups());
  out.set_created(seconds(value.created));
}

Result<model::LoadBalancer> from_proto(const model::v1::LoadBalancer& message) {
  model::LoadBalancer value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.name, name_field("name", message.name(), Empty::refused));
  TRY(value.network, id_field("network", message.network()));
  TRY(value.node, id_field("node", message.node()));
  TRY_DO(read_list("listeners", message.listeners(), value.listeners));
  TRY_DO(read_list("target_groups", message.target_groups(), value.target_groups));
  TRY(value.created, time_field("created", message.created()));
  return value;
}

void to_proto(const model::Swarm& value, model::v1::Swarm& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_vxlan_port(value.vxlan_port);
  out.set_pool(value.pool.format());
  out.set_subnet_length(static_cast<std::uint32_t>(value.subnet_length));
}

Result<model::Swarm> from_proto(const model::v1::Swarm& message) {
  model::Swarm value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.vxlan_port, port_field("vxlan_port", message.vxlan_port()));
  TRY(value.pool, prefix_field("pool", message.pool()));
  const std::int64_t most = value.pool.is_v4() ? 32 : 128;
  TRY_DO(check_range("subnet_length", message.subnet_length(), {value.pool.length(), most}));
  value.subnet_length = static_cast<int>(message.subnet_length());
  return value;
}

namespace {

constexpr std::size_t kMaxBytes = 1 << 20;  // a store's payload (netd/store/store.h)

template <class T>
struct MessageOf;
#define HEDDLE_MESSAGE(Type)                    \
  template <>                                   \
  struct MessageOf<model::Type> {               \
    using type = model::v1::Type;               \
    static constexpr const char* kName = #Type; \
  };
HEDDLE_MESSAGE(Network)
HEDDLE_MESSAGE(Workload)
HEDDLE_MESSAGE(Endpoint)
HEDDLE_MESSAGE(Service)
HEDDLE_MESSAGE(Node)
HEDDLE_MESSAGE(AddressBlock)
HEDDLE_MESSAGE(Sidecar)
HEDDLE_MESSAGE(LoadBalancer)
HEDDLE_MESSAGE(Swarm)
#undef HEDDLE_MESSAGE

}  // namespace

template <class T>
std::string encode(const T& value) {
  typename MessageOf<T>::type message;
  to_proto(value, message);
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // maps in key order: equal values, equal bytes
  CHECK(message.SerializeToCodedStream(&coded));
  coded.Trim();
  return bytes;
}

template <class T>
Result<T> decode(std::string_view bytes) {
  const std::string name = MessageOf<T>::kName;
  if (bytes.size() > kMaxBytes) {
    return fail(Errc::invalid, name + ": " + std::to_string(bytes.size()) + " bytes; at most " +
                                   std::to_string(kMaxBytes) + " are allowed");
  }
  const google::protobuf::LogSilencer quiet;  // the error below says it; bad bytes must not flood
  typename MessageOf<T>::type message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Errc::invalid, name + ": the bytes are truncated or not such a message");
  }
  return from_proto(message).during(name);
}

#define HEDDLE_CODEC(Type)                               \
  template std::string encode(const model::Type& value); \
  template Result<model::Type> decode(std::string_view bytes);
HEDDLE_CODEC(Network)
HEDDLE_CODEC(Workload)
HEDDLE_CODEC(Endpoint)
HEDDLE_CODEC(Service)
HEDDLE_CODEC(Node)
HEDDLE_CODEC(AddressBlock)
HEDDLE_CODEC(Sidecar)
HEDDLE_CODEC(LoadBalancer)
HEDDLE_CODEC(Swarm)
#undef HEDDLE_CODEC

}  // namespace heddle::api
