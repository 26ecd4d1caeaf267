#include "ctl/output/json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ostream>

#include "ctl/output/words.h"

namespace heddle::output {
namespace {

using Object = boost::json::object;
using Array = boost::json::array;

Json text_map(const std::map<std::string, std::string>& map) {
  Object object;
  for (const auto& [key, value] : map) object[key] = value;
  return object;
}

Json text_list(const std::vector<std::string>& list) {
  return Array(list.begin(), list.end());
}

// Adds what `more` has to what `base` has.
Json merged(Json base, Object more) {
  for (auto& [key, value] : more) base.as_object()[key] = std::move(value);
  return base;
}

Json to_json(const model::Subnet& subnet) {
  Object reserved;
  for (const auto& [name, address] : subnet.reserved) reserved[name] = address.format();
  return Object{{"prefix", subnet.prefix.format()},
                {"gateway", subnet.gateway.format()},
                {"range", subnet.range ? subnet.range->format() : ""},
                {"reserved", std::move(reserved)}};
}

Json to_json(const client::SubnetUse& use) {
  return Object{{"used", use.used}, {"free", use.free}, {"conflict", use.conflict}};
}

Json to_json(const model::LbRule& rule) {
  return Object{{"priority", rule.priority},
                {"host", rule.host},
                {"path_prefix", rule.path_prefix},
                {"target_group", rule.target_group}};
}

Json to_json(const model::TargetGroup& group) {
  return Object{{"name", group.name},
                {"service", group.service},
                {"port", group.port},
                {"algorithm", word(group.algorithm)}};
}

Json to_json(const model::LbListener& listener) {
  Array rules;
  for (const auto& rule : listener.rules) rules.push_back(to_json(rule));
  return Object{{"address", listener.address.format()},
                {"protocol", word(listener.protocol)},
                {"default_target_group", listener.default_target_group},
                {"rules", std::move(rules)}};
}

}  // namespace

Json to_json(const model::Network& network) {
  Array subnets;
  for (const auto& subnet : network.subnets) subnets.push_back(to_json(subnet));
  return Object{{"id", network.id},
                {"name", network.name},
                {"driver", network.driver},
                {"scope", model::format(network.scope)},
                {"subnets", std::move(subnets)},
                {"internal", network.internal},
                {"options", text_map(network.options)},
                {"labels", text_map(network.labels)},
                {"vni", network.vni.value},
                {"created", format(network.created)},
                {"attachable", network.attachable},
                {"config_only", network.config_only},
                {"config_from", network.config_from}};
}

Json to_json(const model::Workload& workload) {
  return Object{{"id", workload.id},
                {"name", workload.name},
                {"kind", word(workload.kind)},
                {"state", word(workload.state)},
                {"pid", workload.pid},
                {"sandbox", workload.sandbox},
                {"command", text_list(workload.command)},
                {"environment", text_map(workload.environment)},
                {"directory", workload.directory},
                {"restart", word(workload.restart)},
                {"restarts", workload.restarts},
                {"exit_status", workload.exit_status},
                {"labels", text_map(workload.labels)},
                {"created", format(workload.created)},
                {"container", workload.container},
                {"container_name", workload.container_name}};
}

Json to_json(const model::ServicePort& port) {
  return Object{{"name", port.name},
                {"port", port.port},
                {"protocol", word(port.protocol)},
                {"app", word(port.app)}};
}

Json to_json(const model::PublishedPort& port) {
  return Object{{"host_address", port.host_address ? port.host_address->format() : ""},
                {"host_port", port.host_port},
                {"port", port.port},
                {"count", port.count},
                {"protocol", word(port.protocol)}};
}

Json to_json(const model::Endpoint& endpoint) {
  Array link_local;
  for (const auto& address : endpoint.link_local) link_local.push_back(Json(address.format()));
  return Object{{"id", endpoint.id},
                {"network", endpoint.network},
                {"workload", endpoint.workload},
                {"workload_name", endpoint.workload_name},
                {"node", endpoint.node},
                {"address", endpoint.address.format()},
                {"mac", endpoint.mac.format()},
                {"interface", endpoint.interface},
                {"aliases", text_list(endpoint.aliases)},
                {"service", endpoint.service},
                {"ports", to_json(endpoint.ports)},
                {"weight", endpoint.weight},
                {"state", word(endpoint.state)},
                {"created", format(endpoint.created)},
                {"address6", endpoint.address6 ? endpoint.address6->format() : ""},
                {"link_local", std::move(link_local)},
                {"published", to_json(endpoint.published)},
                {"gateway_priority", endpoint.gateway_priority},
                {"sysctls", text_map(endpoint.sysctls)},
                {"rate_in", endpoint.rate_in},
                {"rate_out", endpoint.rate_out}};
}

Json to_json(const model::Service& service) {
  return Object{{"id", service.id},
                {"name", service.name},
                {"network", service.network},
                {"vip", service.vip.format()},
                {"ports", to_json(service.ports)},
                {"declared", service.declared},
                {"labels", text_map(service.labels)},
                {"created", format(service.created)}};
}

Json to_json(const model::Node& node) {
  return Object{{"id", node.id},
                {"name", node.name},
                {"role", word(node.role)},
                {"address", node.address.format()},
                {"api_port", node.api_port},
                {"data_address", node.data_address.format()},
                {"status", word(node.status)},
                {"availability", word(node.availability)},
                {"labels", text_map(node.labels)},
                {"joined", format(node.joined)}};
}

Json to_json(const model::LoadBalancer& load_balancer) {
  Array listeners;
  for (const auto& listener : load_balancer.listeners) listeners.push_back(to_json(listener));
  Array groups;
  for (const auto& group : load_balancer.target_groups) groups.push_back(to_json(group));
  return Object{{"id", load_balancer.id},
                {"name", load_balancer.name},
                {"network", load_balancer.network},
                {"node", load_balancer.node},
                {"listeners", std::move(listeners)},
                {"target_groups", std::move(groups)},
                {"created", format(load_balancer.created)}};
}

// The use of each subnet stands beside what the subnet is, the device beside its endpoint.
Json to_json(const client::NetworkDetails& details) {
  Array endpoints;
  for (const auto& endpoint : details.endpoints) {
    const auto device = details.endpoint_devices.find(endpoint.id);
    const bool here = device != details.endpoint_devices.end();
    endpoints.push_back(merged(to_json(endpoint), {{"device", here ? device->second : ""}}));
  }
  Json json = merged(to_json(details.network),
                     {{"device", details.device}, {"endpoints", std::move(endpoints)}});
  for (auto& subnet : json.at("subnets").as_array()) {
    for (const auto& use : details.subnets) {
      if (subnet.at("prefix").as_string() != use.prefix.format()) continue;
      subnet = merged(std::move(subnet), to_json(use).as_object());
    }
  }
  return json;
}

Json to_json(const client::EndpointPorts& ports) {
  return Object{{"workload_name", ports.workload_name},
                {"network_name", ports.network_name},
                {"address", ports.address.format()},
                {"published", to_json(ports.published)}};
}

Json to_json(const client::Started& started) {
  return merged(to_json(started.workload), {{"endpoints", to_json(started.endpoints)}});
}

Json to_json(const client::ServiceDetails& details) {
  Array backends;
  for (const auto& backend : details.backends) {
    backends.push_back(merged(to_json(backend.endpoint), {{"node_name", backend.node_name},
                                                          {"reachable", backend.reachable}}));
  }
  return merged(to_json(details.service),
                {{"network_name", details.network_name}, {"backends", std::move(backends)}});
}

Json to_json(const client::NodeEndpoint& endpoint) {
  return merged(to_json(endpoint.endpoint), {{"network_name", endpoint.network_name}});
}

Json to_json(const client::NodeEntry& entry) {
  return merged(to_json(entry.node), {{"self", entry.self},
                                      {"reachable", entry.reachable},
                                      {"manager_status", entry.manager_status}});
}

Json to_json(const client::SidecarStatus& status) {
  return Object{{"workload", status.workload.id},
                {"workload_name", status.workload.name},
                {"state", status.state},
                {"pid", status.pid},
                {"metrics", status.metrics},
                {"inbound_ports", Array(status.inbound_ports.begin(), status.inbound_ports.end())}};
}

Json to_json(const client::LoadBalancerStatus& status) {
  return merged(to_json(status.load_balancer), {{"network_name", status.network_name},
                                                {"state", status.state},
                                                {"pid", status.pid},
                                                {"metrics", status.metrics}});
}

Json to_json(const client::Verified& verified) {
  return Object{{"differences", text_list(verified.differences)},
                {"repaired", text_list(verified.repaired)},
                {"notes", text_list(verified.notes)}};
}

namespace {

Json dns_json(const client::Dns& dns) {
  Array upstreams;
  for (const auto& upstream : dns.upstreams) {
    upstreams.push_back(Object{{"address", upstream.address}, {"up", upstream.up}});
  }
  Object counters;
  for (const auto& counter : dns.counters) counters[counter.name] = counter.value;
  return Object{{"host_resolver", dns.host_resolver},
                {"upstreams", std::move(upstreams)},
                {"counters", std::move(counters)}};
}

}  // namespace

Json to_json(const client::SystemInfo& info) {
  Array capabilities;
  for (const auto& capability : info.capabilities) {
    capabilities.push_back(Object{
        {"name", capability.name}, {"present", capability.present}, {"lost", capability.lost}});
  }
  Array drops;
  for (const auto& drop : info.drops) {
    drops.push_back(
        Object{{"reason", drop.reason}, {"packets", drop.packets}, {"bytes", drop.bytes}});
  }
  return Object{{"version", info.version},
                {"node_name", info.node_name},
                {"kernel", info.kernel},
                {"state_dir", info.state_dir},
                {"run_dir", info.run_dir},
                {"cgroup", info.cgroup},
                {"swarm", info.swarm},
                {"networks", info.networks},
                {"endpoints", info.endpoints},
                {"workloads", info.workloads},
                {"capabilities", std::move(capabilities)},
                {"drops", std::move(drops)},
                {"notes", text_list(info.notes)},
                {"dns", dns_json(info.dns)}};
}

namespace {

void print_value(std::ostream& out, const Json& json, const std::string& indent) {
  const std::string inner = indent + "  ";
  const char* separator = "\n";
  if (json.is_array() && !json.get_array().empty()) {
    out << "[";
    for (const auto& value : json.get_array()) {
      out << separator << inner;
      print_value(out, value, inner);
      separator = ",\n";
    }
    out << "\n" << indent << "]";
  } else if (json.is_object() && !json.get_object().empty()) {
    out << "{";
    for (const auto& [key, value] : json.get_object()) {
      out << separator << inner << boost::json::serialize(Json(key)) << ": ";
      print_value(out, value, inner);
      separator = ",\n";
    }
    out << "\n" << indent << "}";
  } else {
    out << boost::json::serialize(json);
  }
}

}  // namespace

void print(std::ostream& out, const Json& json) {
  print_value(out, json, "");
  out << "\n";
}

}  // namespace heddle::output
