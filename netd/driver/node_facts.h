#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "common/net/ip.h"
#include "netd/model/ids.h"

namespace heddle::driver {

struct HostDevice {
  std::uint32_t mtu = 1500;  // bytes
  bool up = true;
  friend bool operator==(const HostDevice&, const HostDevice&) = default;
};

// What plans need to know of this node beside the View: found once at start or before each pass,
// by whoever may do I/O. A value, so that plans stay pure.
struct NodeFacts {
  // The device that holds this node's data address; "" when there is none (outside a swarm, or the
  // address left the host): overlay endpoints then reach each other on this node alone.
  std::string underlay_device;
  IpAddr underlay_address;
  std::uint32_t underlay_mtu = 1500;  // bytes
  std::uint64_t epoch = 0;            // model::Node::epoch; 0: probes are not answered

  std::uint32_t egress_mtu = 1500;  // of the device of the host's default route; bridges' default
  // What the kernel can do, of what drivers ask for. dataplane/probe.
  bool has_macvlan = true;
  bool has_ipvlan = true;
  bool has_vlan = true;
  std::map<std::string, HostDevice> devices;  // links of the host that are not ours: parents
  // Those that take their IPv6 routes from router advertisements, which a node that forwards
  // ignores unless it is told otherwise.
  std::set<std::string> advertised_devices;

  // cgroup2 directory of this daemon, in which each sidecar's proxy has one of its own.
  std::string cgroup;
  std::uint16_t sidecar_outbound = 15001;
  std::uint16_t sidecar_inbound = 15006;

  // Sandboxes that do not exist now: their workloads are left out of plans.
  std::set<std::string> missing_sandboxes;

  std::string proxy_cgroup(const model::Id& workload) const {
    return cgroup + "/proxy-" + workload;
  }
  friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

}  // namespace heddle::driver
