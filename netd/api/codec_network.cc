// Networks and what is connected to them; see codec.h.
#include <algorithm>

#include "netd/api/codec.h"
#include "netd/api/field.h"
#include "netd/api/model.pb.h"
#include "netd/api/parts.h"

namespace heddle::api {
namespace {

// An optional text field: "" is none.
Result<std::optional<Prefix>> read_range(const std::string& text, const Prefix& subnet) {
  if (text.empty()) return std::optional<Prefix>();
  TRY(const Prefix range, prefix_field("range", text));
  if (!subnet.contains(range)) {
    return fail(Errc::invalid, "range: " + text + " is not in " + subnet.format());
  }
  return std::optional(range);
}

Result<std::optional<IfAddr>> read_address6(const std::string& text, const IfAddr& address) {
  if (text.empty()) return std::optional<IfAddr>();
  TRY(const IfAddr second, if_addr_field("address6", text));
  if (second.address.is_v4() || !address.address.is_v4()) {
    return fail(Errc::invalid, "address6: " + text + " must be an IPv6 address beside an IPv4 one");
  }
  return std::optional(second);
}

Result<> read_link_local(const model::v1::Endpoint& message, std::vector<IfAddr>& to) {
  const int count = message.link_local_size();
  TRY_DO(check_count("link_local", static_cast<std::size_t>(count), kMaxLinkLocal));
  for (int i = 0; i < count; ++i) {
    TRY(const IfAddr address, link_local_field(at("link_local", i), message.link_local(i)));
    to.push_back(address);
  }
  return {};
}

}  // namespace

void to_proto(const model::Subnet& value, model::v1::Subnet& out) {
  out.Clear();
  out.set_prefix(value.prefix.format());
  out.set_gateway(value.gateway.format());
  if (value.range) out.set_range(value.range->format());
  for (const auto& [name, address] : value.reserved) {
    (*out.mutable_reserved())[name] = address.format();
  }
}

Result<model::Subnet> from_proto(const model::v1::Subnet& message) {
  model::Subnet value;
  TRY(value.prefix, prefix_field("prefix", message.prefix()));
  TRY(value.gateway, address_field("gateway", message.gateway()));
  if (!value.gateway.is_unspecified() && !value.prefix.contains(value.gateway)) {
    return fail(Errc::invalid, "gateway: " + message.gateway() + " is not in " + message.prefix());
  }
  TRY(value.range, read_range(message.range(), value.prefix));
  TRY(value.reserved,
      reserved_field("reserved", {message.reserved().begin(), message.reserved().end()}));
  for (const auto& [name, address] : value.reserved) {
    if (value.prefix.contains(address)) continue;
    return fail(Errc::invalid,
                "reserved[" + name + "]: " + address.format() + " is not in " + message.prefix());
  }
  return value;
}

void to_proto(const model::Network& value, model::v1::Network& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_name(value.name);
  out.set_driver(value.driver);
  out.set_scope(static_cast<model::v1::Scope>(value.scope));
  for (const auto& subnet : value.subnets) to_proto(subnet, *out.add_subnets());
  out.set_internal(value.internal);
  put_map(value.options, *out.mutable_options());
  put_map(value.labels, *out.mutable_labels());
  out.set_vni(value.vni.value);
  out.set_created(seconds(value.created));
  out.set_not_attachable(!value.attachable);
  out.set_config_only(value.config_only);
  out.set_config_from(value.config_from);
}

Result<model::Network> from_proto(const model::v1::Network& message) {
  model::Network value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.name, name_field("name", message.name(), Empty::refused));
  value.config_only = message.config_only();
  TRY(value.driver,
      name_field("driver", message.driver(), value.config_only ? Empty::allowed : Empty::refused));
  TRY(value.scope, enum_field<model::Scope>("scope", message.scope(), model::v1::Scope_IsValid));
  TRY_DO(check_count("subnets", static_cast<std::size_t>(message.subnets_size()), kMaxSubnets));
  TRY_DO(read_list("subnets", message.subnets(), value.subnets));
  value.internal = message.internal();
  value.attachable = !message.not_attachable();
  TRY(value.config_from, name_field("config_from", message.config_from(), Empty::allowed));
  TRY(value.options, map_field("options", message.options()));
  TRY(value.labels, map_field("labels", message.labels()));
  TRY_DO(check_range("vni", message.vni(), {0, kMaxVni}));
  value.vni.value = message.vni();
  TRY(value.created, time_field("created", message.created()));
  return value;
}

void to_proto(const model::ServicePort& value, model::v1::ServicePort& out) {
  out.Clear();
  out.set_name(value.name);
  out.set_port(value.port);
  out.set_protocol(static_cast<std::uint32_t>(value.protocol));
  out.set_app(static_cast<model::v1::AppProtocol>(value.app));
}

Result<model::ServicePort> from_proto(const model::v1::ServicePort& message) {
  model::ServicePort value;
  TRY(value.name, name_field("name", message.name(), Empty::allowed));
  TRY(value.port, port_field("port", message.port()));
  if (message.protocol() != 6 && message.protocol() != 17) {
    return fail(Errc::invalid, "protocol: " + std::to_string(message.protocol()) +
                                   " is neither 6 (tcp) nor 17 (udp)");
  }
  value.protocol = static_cast<model::Protocol>(message.protocol());
  TRY(value.app,
      enum_field<model::AppProtocol>("app", message.app(), model::v1::AppProtocol_IsValid));
  return value;
}

void to_proto(const model::PublishedPort& value, model::v1::PublishedPort& out) {
  out.Clear();
  if (value.host_address) out.set_host_address(value.host_address->format());
  out.set_host_port(value.host_port);
  out.set_port(value.port);
  out.set_count(value.count);
  out.set_protocol(static_cast<std::uint32_t>(value.protocol));
}

Result<model::PublishedPort> from_proto(const model::v1::PublishedPort& message) {
  model::PublishedPort value;
  if (!message.host_address().empty()) {
    TRY(value.host_address, address_field("host_address", message.host_address()));
  }
  TRY_DO(check_range("host_port", message.host_port(), {0, 65535}));
  value.host_port = static_cast<std::uint16_t>(message.host_port());
  TRY(value.port, port_field("port", message.port()));
  const std::uint32_t first = std::max<std::uint32_t>(message.host_port(), message.port());
  const std::uint32_t count = message.count() == 0 ? 1 : message.count();
  TRY_DO(check_range("count", count, {1, 65536 - static_cast<std::int64_t>(first)}));
  value.count = static_cast<std::uint16_t>(count);
  if (message.protocol() != 6 && message.protocol() != 17 && message.protocol() != 132) {
    return fail(Errc::invalid, "protocol: " + std::to_string(message.protocol()) +
                                   " is none of 6 (tcp), 17 (udp) and 132 (sctp)");
  }
  value.protocol = static_cast<model::PublishedProtocol>(message.protocol());
  return value;
}

void to_proto(const model::Endpoint& value, model::v1::Endpoint& out) {
  out.Clear();
  out.set_id(value.id);
  out.set_network(value.network);
  out.set_workload(value.workload);
  out.set_workload_name(value.workload_name);
  out.set_node(value.node);
  out.set_address(value.address.format());
  out.set_mac(value.mac.format());
  out.set_interface(value.interface);
  for (const auto& alias : value.aliases) out.add_aliases(alias);
  out.set_service(value.service);
  for (const auto& port : value.ports) to_proto(port, *out.add_ports());
  out.set_weight(value.weight);
  out.set_state(static_cast<model::v1::EndpointState>(value.state));
  out.set_created(seconds(value.created));
  if (value.address6) out.set_address6(value.address6->format());
  for (const auto& address : value.link_local) out.add_link_local(address.format());
  for (const auto& port : value.published) to_proto(port, *out.add_published());
  out.set_gateway_priority(value.gateway_priority);
  put_map(value.sysctls, *out.mutable_sysctls());
  out.set_rate_in(value.rate_in);
  out.set_rate_out(value.rate_out);
}

Result<model::Endpoint> from_proto(const model::v1::Endpoint& message) {
  model::Endpoint value;
  TRY(value.id, id_field("id", message.id()));
  TRY(value.network, id_field("network", message.network()));
  TRY(value.workload, id_field("workload", message.workload()));
  TRY(value.workload_name, line_field("workload_name", message.workload_name(), kMaxPath));
  TRY(value.node, id_field("node", message.node()));
  TRY(value.address, if_addr_field("address", message.address()));
  TRY(value.mac, mac_field("mac", message.mac()));
  TRY(value.interface, interface_field("interface", message.interface()));
  TRY_DO(check_count("aliases", static_cast<std::size_t>(message.aliases_size()), kMaxEntries));
  for (int i = 0; i < message.aliases_size(); ++i) {
    TRY(auto alias, name_field(at("aliases", i), message.aliases(i), Empty::refused));
    value.aliases.push_back(std::move(alias));
  }
  TRY(value.service, name_field("service", message.service(), Empty::allowed));
  TRY_DO(read_list("ports", message.ports(), value.ports));
  value.weight = message.weight();
  TRY(value.state,
      enum_field<model::EndpointState>("state", message.state(), model::v1::EndpointState_IsValid));
  TRY(value.created, time_field("created", message.created()));
  TRY(value.address6, read_address6(message.address6(), value.address));
  TRY_DO(read_link_local(message, value.link_local));
  TRY_DO(read_list("published", message.published(), value.published));
  value.gateway_priority = message.gateway_priority();
  TRY(value.sysctls, map_field("sysctls", message.sysctls()));
  TRY_DO(check_sysctls("sysctls", value.sysctls));
  value.rate_in = message.rate_in();
  value.rate_out = message.rate_out();
  return value;
}

}  // namespace heddle::api
