#pragma once
#include "common/base/result.h"
#include "netd/api/heddle.pb.h"
#include "netd/control/daemon.h"

// Requests of the API as the Daemon takes them, and its answers as messages.
// Errors: `invalid`, naming the field.
namespace heddle::server {

Result<control::NetworkSpec> network_spec(const api::v1::CreateNetworkRequest& request);
Result<control::NetworkUpdate> network_update(const api::v1::UpdateNetworkRequest& request);
Result<control::ConnectSpec> connect_spec(const api::v1::ConnectRequest& request);
Result<control::PublishSpec> publish_spec(const api::v1::PublishRequest& request);
Result<control::RunSpec> run_spec(const api::v1::RunRequest& request);
Result<control::LoadBalancerSpec> load_balancer_spec(
    const api::v1::CreateLoadBalancerRequest& request);
Result<control::Daemon::SwarmInit> swarm_init(const api::v1::SwarmInitRequest& request);
Result<control::Daemon::SwarmJoin> swarm_join(const api::v1::SwarmJoinRequest& request);

void fill(const model::View& view, const model::Network& network, api::v1::NetworkDetails& out);
void fill(const std::vector<control::SubnetUse>& uses, api::v1::NetworkDetails& out);
// The published ports of this node, or of one workload of it.
void fill(const model::View& view, const model::Workload* workload, api::v1::PortList& out);
void fill(const model::View& view, const model::Service& service, api::v1::ServiceDetails& out);
void fill(const control::ProxiedWorkload& proxied, api::v1::SidecarStatus& out);
void fill(const model::View& view, const model::LoadBalancer& balancer,
          const mesh::ProxyStatus& status, api::v1::LoadBalancerStatus& out);
void fill(const control::SystemInfo& info, const model::View& view, api::v1::SystemInfoReply& out);

Result<control::Daemon::ServiceSpec> service_spec(const api::v1::CreateServiceRequest& request);
Result<cluster::Cluster::ServiceChange> service_change(
    const api::v1::UpdateServiceRequest& request);
Result<cluster::Cluster::NodeChange> node_change(const api::v1::UpdateNodeRequest& request);
void fill(const model::View& view, const model::Node& node, api::v1::NodeEndpointList& out);
std::string manager_status(cluster::Cluster::ManagerState::Standing standing);
// `heddle swarm join --token T HOST:PORT`
std::string join_command(const std::string& token, const std::string& manager);

}  // namespace heddle::server
