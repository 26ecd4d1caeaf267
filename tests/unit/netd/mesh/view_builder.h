#pragma once
#include <memory>
#include <string>

#include "netd/model/view.h"

namespace heddle::mesh {

// A small world: network `app` with service `web` at 10.32.0.2:8080.
class ViewBuilder {
 public:
  ViewBuilder() {
    view_.self = "node1";
    network("net1", "app");
    service("svc1", "net1", "web", "10.32.0.2", {8080});
  }

  ViewBuilder& network(const std::string& id, const std::string& name) {
    model::Network network;
    network.id = id;
    network.name = name;
    view_.networks[id] = network;
    return *this;
  }
  ViewBuilder& service(const std::string& id, const std::string& network, const std::string& name,
                       const std::string& vip, std::vector<std::uint16_t> ports,
                       model::AppProtocol app = model::AppProtocol::automatic) {
    model::Service service;
    service.id = id;
    service.network = network;
    service.name = name;
    service.vip = *IpAddr::parse(vip);
    for (const auto port : ports) service.ports.push_back({"", port, model::Protocol::tcp, app});
    view_.services[id] = service;
    return *this;
  }
  ViewBuilder& workload(const std::string& id,
                        model::WorkloadKind kind = model::WorkloadKind::netns) {
    model::Workload workload;
    workload.id = id;
    workload.name = "name-" + id;
    workload.kind = kind;
    workload.sandbox = "/run/netns/" + id;
    workload.state = model::WorkloadState::running;
    view_.workloads[id] = workload;
    return *this;
  }
  ViewBuilder& endpoint(const std::string& id, const std::string& workload,
                        const std::string& address, const std::string& service = "",
                        model::EndpointState state = model::EndpointState::ready,
                        const std::string& node = "node1", const std::string& network = "net1") {
    model::Endpoint endpoint;
    endpoint.id = id;
    endpoint.network = network;
    endpoint.workload = workload;
    endpoint.node = node;
    endpoint.address = {*IpAddr::parse(address), 20};
    endpoint.service = service;
    if (!service.empty())
      endpoint.ports.push_back({"", 8080, model::Protocol::tcp, model::AppProtocol::http1});
    endpoint.state = state;
    view_.endpoints[id] = endpoint;
    return *this;
  }
  ViewBuilder& sidecar(const std::string& workload) {
    view_.sidecars[workload] = {workload};
    return *this;
  }
  model::View& view() { return view_; }
  std::shared_ptr<const model::View> share() const {
    return std::make_shared<const model::View>(view_);
  }

 private:
  model::View view_;
};

inline SocketAddr addr(const std::string& text) {
  return *SocketAddr::parse(text);
}

}  // namespace heddle::mesh
