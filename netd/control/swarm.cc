// Membership: the cluster does it; this adds what the host knows and forgets what went with it.
#include "netd/control/control.h"
#include "netd/control/host_facts.h"

namespace heddle::control {
namespace {

constexpr std::uint16_t kVxlanPort = 4789;  // RFC 7348, section 8.1
constexpr int kSwarmSubnetLength = 20;

Result<IpAddr> own_address(const std::optional<IpAddr>& given) {
  if (!given) return only_host_address();
  TRY(const HostAddress found, find_host_address(*given));
  return found.address.address;
}

}  // namespace

Result<model::Node> Control::swarm_init(SwarmInit request, Deadline deadline) {
  if (request.force_new_cluster == Force::yes) return parts_.cluster->force_new_cluster(deadline);
  TRY(const IpAddr advertise, own_address(request.advertise));
  TRY(const IpAddr data, own_address(request.data_address ? request.data_address : advertise));
  cluster::Cluster::InitRequest init;
  init.advertise = advertise;
  init.api_port = request.api_port;
  init.data_address = data;
  if (request.vxlan_port) {
    init.vxlan_port = *request.vxlan_port;
  } else {
    TRY(init.vxlan_port, free_udp_port(kVxlanPort));
  }
  TRY(const Prefix default_pool, Prefix::parse("10.32.0.0/11"));
  init.pool = request.pool.value_or(default_pool);
  if (!init.pool.is_v4() || init.pool.length() > kSwarmSubnetLength) {
    return fail(Errc::invalid,
                "address pool " + init.pool.format() + " must be IPv4 and hold at least one /20");
  }
  init.subnet_length = kSwarmSubnetLength;
  return parts_.cluster->init(init, deadline);
}

Result<model::Node> Control::swarm_join(SwarmJoin request, Deadline deadline) {
  TRY(const IpAddr advertise, own_address(request.advertise));
  TRY(const IpAddr data, own_address(request.data_address ? request.data_address : advertise));
  return parts_.cluster->join({.token = std::move(request.token),
                               .manager = std::move(request.manager),
                               .advertise = advertise,
                               .api_port = request.api_port,
                               .data_address = data},
                              deadline);
}

Result<> Control::swarm_leave(Force force, Deadline deadline) {
  TRY_DO(executor_.call([&]() -> Result<> {
    std::string users;
    const auto current = view();
    for (const auto& [id, endpoint] : objects_->endpoints()) {
      const auto network = current->networks.find(endpoint.network);
      if (network != current->networks.end() && network->second.scope == model::Scope::swarm) {
        users += (users.empty() ? "" : ", ") + endpoint.workload_name;
      }
    }
    if (!users.empty() && force == Force::no) {
      return fail(Errc::in_use, "workloads here use swarm networks: " + users +
                                    "; disconnect or remove them, or use --force");
    }
    return {};
  }));
  TRY_DO(parts_.cluster->leave(
      force == Force::yes ? cluster::Cluster::Force::yes : cluster::Cluster::Force::no, deadline));
  return executor_.call([&]() -> Result<> {
    const auto gone = std::exchange(swarm_, std::nullopt);
    unreachable_.clear();
    moved_ = {};
    Objects::Batch batch;
    for (const auto& [id, endpoint] : objects_->endpoints()) {
      if (objects_->networks().contains(endpoint.network)) continue;
      batch.remove_endpoint(id);
      pools_.erase(endpoint.network);
    }
    TRY_DO(objects_->commit(std::move(batch)));
    refresh();
    return {};
  });
}

Result<cluster::Cluster::Token> Control::join_token(model::NodeRole role,
                                                    cluster::Cluster::Rotate rotate,
                                                    std::optional<std::chrono::seconds> ttl,
                                                    Deadline deadline) {
  return parts_.cluster->join_token(role, rotate, ttl, deadline);
}

Result<model::Node> Control::set_node_role(std::string node, model::NodeRole role,
                                           Deadline deadline) {
  const auto current = view();
  TRY(const model::Node* found, model::find_node(*current, node));
  return parts_.cluster->set_role(found->id, role, deadline);
}

Result<model::Node> Control::update_node(std::string node, cluster::Cluster::NodeChange change,
                                         Deadline deadline) {
  const auto current = view();
  TRY(const model::Node* found, model::find_node(*current, node));
  return parts_.cluster->update_node(found->id, std::move(change), deadline);
}

Result<> Control::remove_node(std::string node, Force force, Deadline deadline) {
  const auto current = view();
  TRY(const model::Node* found, model::find_node(*current, node));
  return parts_.cluster->remove_node(
      found->id, force == Force::yes ? cluster::Cluster::Force::yes : cluster::Cluster::Force::no,
      deadline);
}

std::vector<cluster::Cluster::ManagerState> Control::managers(Deadline deadline) {
  return parts_.cluster->managers(deadline);
}

}  // namespace heddle::control
