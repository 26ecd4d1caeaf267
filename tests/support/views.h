#pragma once
#include <string>

#include "common/base/check.h"
#include "netd/model/view.h"

// Small Views for unit tests of plans, drivers and names. Ids are readable instead of hexadecimal.
namespace heddle::tests {

inline IpAddr ip(const std::string& text) {
  const auto address = IpAddr::parse(text);
  CHECK(address.has_value());
  return *address;
}

inline Prefix prefix(const std::string& text) {
  const auto value = Prefix::parse(text);
  CHECK(value.has_value());
  return *value;
}

inline Mac mac_number(int number) {
  return Mac{{0x02, 0x48, 0, 0, static_cast<std::uint8_t>(number >> 8),
              static_cast<std::uint8_t>(number)}};
}

inline model::ServicePort port(std::uint16_t number, std::string name = "",
                               model::Protocol protocol = model::Protocol::tcp) {
  return {std::move(name), number, protocol, model::AppProtocol::automatic};
}

// Adds objects in the shape the daemon makes them.
class ViewBuilder final {
 public:
  ViewBuilder& swarm(std::string self) {
    view_.swarm = model::Swarm{"swarm", 4789, prefix("10.32.0.0/11"), 20};
    view_.self = std::move(self);
    return *this;
  }
  ViewBuilder& node(const std::string& id, const std::string& data_address) {
    model::Node& node = view_.nodes[id];
    node.id = node.name = id;
    node.address = node.data_address = ip(data_address);
    return *this;
  }
  model::Network& network(const std::string& id, const std::string& driver,
                          const std::string& subnet, std::uint32_t vni = 0) {
    model::Network& network = view_.networks[id];
    network.id = network.name = id;
    network.driver = driver;
    network.scope = vni != 0 ? model::Scope::swarm : model::Scope::local;
    network.subnets = {{prefix(subnet), prefix(subnet).at(1)}};
    network.vni = Vni{vni};
    return network;
  }
  model::Workload& workload(const std::string& id) {
    model::Workload& workload = view_.workloads[id];
    workload.id = workload.name = id;
    workload.sandbox = "/run/heddle/netns/" + id;
    workload.state = model::WorkloadState::running;
    return workload;
  }
  // Of this node; the id is WORKLOAD-NETWORK.
  model::Endpoint& endpoint(const std::string& workload, const std::string& network,
                            const std::string& address) {
    return add(view_.self, workload, network, address);
  }
  model::Endpoint& remote(const std::string& node, const std::string& workload,
                          const std::string& network, const std::string& address) {
    return add(node, workload, network, address);
  }
  model::Service& service(const std::string& name, const std::string& network,
                          const std::string& vip) {
    model::Service& service = view_.services[name + "." + network];
    service.id = name + "." + network;
    service.name = name;
    service.network = network;
    service.vip = ip(vip);
    service.ports = {port(8080)};
    return service;
  }
  model::View& view() { return view_; }

 private:
  model::Endpoint& add(const std::string& node, const std::string& workload,
                       const std::string& network, const std::string& address) {
    const std::string id = workload + "-" + network;
    model::Endpoint& endpoint = view_.endpoints[id];
    endpoint.id = id;
    endpoint.network = network;
    endpoint.workload = workload;
    endpoint.workload_name = workload;
    endpoint.node = node;
    endpoint.address = {ip(address), view_.networks.at(network).subnets.front().prefix.length()};
    endpoint.mac = mac_number(static_cast<int>(view_.endpoints.size()));
    endpoint.interface = "eth0";
    endpoint.state = model::EndpointState::ready;
    return endpoint;
  }

  model::View view_;
};

}  // namespace heddle::tests
