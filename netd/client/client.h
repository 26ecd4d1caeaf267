#pragma once
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/client/types.h"

namespace heddle::client {

inline constexpr const char* kDefaultSocket = "/run/heddle/heddled.sock";

// $HEDDLE_SOCKET, else kDefaultSocket.
std::string default_socket();

// True for the error of a daemon that did not answer at all, as against an `unavailable` that the
// daemon itself gave (no manager, no quorum).
bool is_unreachable(const Error& error);

enum class Force { no, yes };
enum class Repair { no, yes };

// One heddled, through its unix socket.
// Threads:  any; calls block.
// Deadline: past it, `timeout`; the effect may have happened: look again.
// Errors:   the daemon's own, whose text says what to do; `unavailable` with how to start it when
// it
//           does not answer; `denied` when the socket is not ours to open.
class Client final {
 public:
  // Errors: as above, at once when nobody listens on the socket.
  static Result<std::unique_ptr<Client>> connect(const std::string& socket, Deadline deadline);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  Result<model::Network> create_network(const NetworkDraft& draft, Deadline deadline);
  Result<std::vector<model::Network>> list_networks(const std::vector<Filter>& filters,
                                                    Deadline deadline);
  Result<NetworkDetails> inspect_network(const std::string& ref, Deadline deadline);
  Result<model::Network> update_network(const NetworkChange& change, Deadline deadline);
  // The names of those removed.
  Result<std::vector<std::string>> prune_networks(const std::vector<Filter>& filters,
                                                  Deadline deadline);
  Result<> remove_network(const std::string& ref, Deadline deadline);
  Result<model::Endpoint> attach(const Attachment& attachment, Deadline deadline);  // rpc Connect
  Result<> disconnect(const std::string& network, const std::string& workload, Deadline deadline);
  Result<model::Endpoint> publish(const Publication& publication, Deadline deadline);
  // Published ports, of one workload or ("") of each of this node.
  Result<std::vector<EndpointPorts>> list_ports(const std::string& workload, Deadline deadline);

  Result<Started> run(const RunDraft& draft, Deadline deadline);
  Result<std::vector<model::Workload>> list_workloads(Deadline deadline);
  // References to running containers, connected or not.
  Result<std::vector<std::string>> list_containers(Deadline deadline);
  Result<> remove_workload(const std::string& ref, Force force, Deadline deadline);

  Result<std::vector<ServiceDetails>> list_services(Deadline deadline);
  Result<ServiceDetails> inspect_service(const std::string& ref, Deadline deadline);

  Result<model::Service> create_service(const ServiceDraft& draft, Deadline deadline);
  Result<model::Service> update_service(const ServiceChange& change, Deadline deadline);
  Result<> remove_service(const std::string& ref, Deadline deadline);

  Result<SwarmStarted> swarm_init(const SwarmInit& request, Deadline deadline);
  Result<model::Node> swarm_join(const SwarmJoin& request, Deadline deadline);
  Result<> swarm_leave(Force force, Deadline deadline);
  Result<JoinToken> join_token(const TokenRequest& request, Deadline deadline);
  Result<std::vector<NodeEntry>> list_nodes(Deadline deadline);
  Result<model::Node> set_node_role(const std::string& node, model::NodeRole role,
                                    Deadline deadline);
  Result<model::Node> update_node(const NodeChange& change, Deadline deadline);
  Result<std::vector<NodeEndpoint>> list_node_endpoints(const std::string& node, Deadline deadline);
  Result<> remove_node(const std::string& node, Force force, Deadline deadline);

  Result<SidecarStatus> inject_sidecar(const std::string& workload, Deadline deadline);
  Result<> eject_sidecar(const std::string& workload, Deadline deadline);
  Result<std::vector<SidecarStatus>> list_sidecars(Deadline deadline);

  Result<LoadBalancerStatus> create_load_balancer(const LoadBalancerDraft& draft,
                                                  Deadline deadline);
  Result<std::vector<LoadBalancerStatus>> list_load_balancers(Deadline deadline);
  Result<LoadBalancerStatus> inspect_load_balancer(const std::string& ref, Deadline deadline);
  Result<> remove_load_balancer(const std::string& ref, Deadline deadline);

  Result<Verified> verify(Repair repair, Deadline deadline);
  Result<SystemInfo> system_info(Deadline deadline);
  // Takes everything of this daemon out of the kernel and the local store, and stops it.
  Result<> reset(Deadline deadline);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::client
