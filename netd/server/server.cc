#include "netd/server/server.h"

#include <grp.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/api/heddle.grpc.pb.h"
#include "netd/api/status.h"
#include "netd/server/filters.h"
#include "netd/server/flow_service.h"
#include "netd/server/translate.h"

namespace heddle::server {
namespace {

using grpc::ServerContext;
using grpc::Status;
namespace v1 = api::v1;

constexpr int kMaxMessage = 1 << 20;
constexpr int kMaxThreads = 64;
constexpr std::chrono::seconds kDefaultBudget{30};

Deadline deadline_of(const ServerContext& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  const auto capped = std::min<std::chrono::system_clock::duration>(left, std::chrono::minutes(5));
  return context.deadline() == std::chrono::system_clock::time_point::max()
             ? std::chrono::steady_clock::now() + kDefaultBudget
             : std::chrono::steady_clock::now() +
                   std::chrono::duration_cast<std::chrono::steady_clock::duration>(capped);
}

// Each handler is a function that fills the reply or says why not.
Status finish(const Result<>& result) {
  return result ? Status::OK : api::to_status(result.error());
}

class Service final : public v1::Heddle::Service {
 public:
  explicit Service(control::Daemon& daemon) : daemon_(daemon) {}

  Status CreateNetwork(ServerContext* context, const v1::CreateNetworkRequest* request,
                       model::v1::Network* reply) override {
    return finish([&]() -> Result<> {
      TRY(control::NetworkSpec spec, network_spec(*request));
      TRY(const model::Network made,
          daemon_.create_network(std::move(spec), deadline_of(*context)));
      api::to_proto(made, *reply);
      return {};
    }());
  }

  Status ListNetworks(ServerContext*, const v1::ListNetworksRequest* request,
                      v1::NetworkList* reply) override {
    return finish([&]() -> Result<> {
      TRY(const auto filter, network_filter(request->filters()));
      const auto view = daemon_.view();
      for (const auto& [id, network] : view->networks) {
        if (fits(filter, *view, network)) api::to_proto(network, *reply->add_networks());
      }
      return {};
    }());
  }

  Status InspectNetwork(ServerContext*, const v1::Ref* request,
                        v1::NetworkDetails* reply) override {
    return finish([&]() -> Result<> {
      const auto view = daemon_.view();
      TRY(const model::Network* network, model::find_network(*view, request->ref()));
      fill(*view, *network, *reply);
      reply->set_device(daemon_.device_of(*network));
      TRY(const auto use, daemon_.subnet_use(network->id));
      fill(use, *reply);
      TRY(const auto devices, daemon_.endpoint_devices(network->id));
      reply->mutable_endpoint_devices()->insert(devices.begin(), devices.end());
      return {};
    }());
  }

  Status UpdateNetwork(ServerContext* context, const v1::UpdateNetworkRequest* request,
                       model::v1::Network* reply) override {
    return finish([&]() -> Result<> {
      TRY(auto update, network_update(*request));
      TRY(const model::Network changed,
          daemon_.update_network(std::move(update), deadline_of(*context)));
      api::to_proto(changed, *reply);
      return {};
    }());
  }

  Status RemoveNetwork(ServerContext* context, const v1::Ref* request, v1::Empty*) override {
    return finish(daemon_.remove_network(request->ref(), deadline_of(*context)));
  }

  Status PruneNetworks(ServerContext* context, const v1::PruneNetworksRequest* request,
                       v1::PruneNetworksReply* reply) override {
    return finish([&]() -> Result<> {
      const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
      TRY(auto spec, prune_spec(request->filters(), now));
      TRY(const auto names, daemon_.prune_networks(std::move(spec), deadline_of(*context)));
      reply->mutable_names()->Assign(names.begin(), names.end());
      return {};
    }());
  }

  Status Connect(ServerContext* context, const v1::ConnectRequest* request,
                 model::v1::Endpoint* reply) override {
    return finish([&]() -> Result<> {
      TRY(control::ConnectSpec spec, connect_spec(*request));
      TRY(const model::Endpoint made, daemon_.connect(std::move(spec), deadline_of(*context)));
      api::to_proto(made, *reply);
      return {};
    }());
  }

  Status Disconnect(ServerContext* context, const v1::DisconnectRequest* request,
                    v1::Empty*) override {
    return finish(
        daemon_.disconnect(request->network(), request->workload(), deadline_of(*context)));
  }

  Status Publish(ServerContext* context, const v1::PublishRequest* request,
                 model::v1::Endpoint* reply) override {
    return finish([&]() -> Result<> {
      TRY(auto spec, publish_spec(*request));
      TRY(const model::Endpoint made, daemon_.publish(std::move(spec), deadline_of(*context)));
      api::to_proto(made, *reply);
      return {};
    }());
  }

  Status ListPorts(ServerContext*, const v1::ListPortsRequest* request,
                   v1::PortList* reply) override {
    return finish([&]() -> Result<> {
      const auto view = daemon_.view();
      const model::Workload* workload = nullptr;
      if (!request->workload().empty()) {
        TRY(workload, model::find_workload(*view, request->workload()));
      }
      fill(*view, workload, *reply);
      return {};
    }());
  }

  Status ListContainers(ServerContext* context, const v1::ListRequest*,
                        v1::ContainerList* reply) override {
    const auto references = daemon_.running_containers(deadline_of(*context));
    reply->mutable_references()->Assign(references.begin(), references.end());
    return Status::OK;
  }

  Status Run(ServerContext* context, const v1::RunRequest* request, v1::RunReply* reply) override {
    return finish([&]() -> Result<> {
      TRY(control::RunSpec spec, run_spec(*request));
      TRY(const auto started, daemon_.run(std::move(spec), deadline_of(*context)));
      api::to_proto(started.workload, *reply->mutable_workload());
      for (const auto& endpoint : started.endpoints) {
        api::to_proto(endpoint, *reply->add_endpoints());
      }
      return {};
    }());
  }

  Status ListWorkloads(ServerContext*, const v1::ListRequest*, v1::WorkloadList* reply) override {
    const auto view = daemon_.view();
    for (const auto& [id, workload] : view->workloads) {
      api::to_proto(workload, *reply->add_workloads());
    }
    return Status::OK;
  }

  Status RemoveWorkload(ServerContext* context, const v1::RemoveWorkloadRequest* request,
                        v1::Empty*) override {
    return finish(daemon_.remove_workload(
        request->workload(), request->force() ? control::Force::yes : control::Force::no,
        deadline_of(*context)));
  }

  Status ListServices(ServerContext*, const v1::ListRequest*, v1::ServiceList* reply) override {
    const auto view = daemon_.view();
    for (const auto& [id, service] : view->services) fill(*view, service, *reply->add_services());
    return Status::OK;
  }

  Status InspectService(ServerContext*, const v1::Ref* request,
                        v1::ServiceDetails* reply) override {
    return finish([&]() -> Result<> {
      const auto view = daemon_.view();
      TRY(const model::Service* service, model::find_service(*view, request->ref()));
      fill(*view, *service, *reply);
      return {};
    }());
  }

  Status CreateService(ServerContext* context, const v1::CreateServiceRequest* request,
                       model::v1::Service* reply) override {
    return finish([&]() -> Result<> {
      TRY(auto spec, service_spec(*request));
      TRY(const model::Service made,
          daemon_.create_service(std::move(spec), deadline_of(*context)));
      api::to_proto(made, *reply);
      return {};
    }());
  }

  Status UpdateService(ServerContext* context, const v1::UpdateServiceRequest* request,
                       model::v1::Service* reply) override {
    return finish([&]() -> Result<> {
      TRY(auto change, service_change(*request));
      TRY(const model::Service changed,
          daemon_.update_service(request->service(), std::move(change), deadline_of(*context)));
      api::to_proto(changed, *reply);
      return {};
    }());
  }

  Status RemoveService(ServerContext* context, const v1::Ref* request, v1::Empty*) override {
    return finish(daemon_.remove_service(request->ref(), deadline_of(*context)));
  }

  Status SwarmInit(ServerContext* context, const v1::SwarmInitRequest* request,
                   v1::SwarmInitReply* reply) override {
    return finish([&]() -> Result<> {
      TRY(const auto init, swarm_init(*request));
      const Deadline deadline = deadline_of(*context);
      TRY(const model::Node node, daemon_.swarm_init(init, deadline));
      api::to_proto(node, *reply->mutable_node());
      TRY(const auto token,
          daemon_.join_token(model::NodeRole::worker, cluster::Cluster::Rotate::no, {}, deadline));
      reply->set_join_command(join_command(token.token, token.manager));
      return {};
    }());
  }

  Status SwarmJoin(ServerContext* context, const v1::SwarmJoinRequest* request,
                   model::v1::Node* reply) override {
    return finish([&]() -> Result<> {
      TRY(auto join, swarm_join(*request));
      TRY(const model::Node node, daemon_.swarm_join(std::move(join), deadline_of(*context)));
      api::to_proto(node, *reply);
      return {};
    }());
  }

  Status SwarmLeave(ServerContext* context, const v1::SwarmLeaveRequest* request,
                    v1::Empty*) override {
    return finish(daemon_.swarm_leave(request->force() ? control::Force::yes : control::Force::no,
                                      deadline_of(*context)));
  }

  Status JoinToken(ServerContext* context, const v1::JoinTokenRequest* request,
                   v1::JoinTokenReply* reply) override {
    return finish([&]() -> Result<> {
      const auto role = request->role() == model::v1::NODE_MANAGER ? model::NodeRole::manager
                                                                   : model::NodeRole::worker;
      const auto rotate =
          request->rotate() ? cluster::Cluster::Rotate::yes : cluster::Cluster::Rotate::no;
      std::optional<std::chrono::seconds> ttl;
      if (request->ttl_seconds() != 0) ttl = std::chrono::seconds(request->ttl_seconds());
      TRY(const auto token, daemon_.join_token(role, rotate, ttl, deadline_of(*context)));
      reply->set_token(token.token);
      reply->set_join_command(join_command(token.token, token.manager));
      return {};
    }());
  }

  Status ListNodes(ServerContext* context, const v1::ListRequest*, v1::NodeList* reply) override {
    const auto view = daemon_.view();
    std::map<model::Id, std::string> managers;
    for (const auto& each : daemon_.managers(deadline_of(*context))) {
      managers[each.node] = manager_status(each.standing);
    }
    for (const auto& [id, node] : view->nodes) {
      auto& entry = *reply->add_nodes();
      api::to_proto(node, *entry.mutable_node());
      entry.set_self(id == view->self);
      entry.set_reachable(!view->unreachable.contains(id));
      if (const auto found = managers.find(id); found != managers.end()) {
        entry.set_manager_status(found->second);
      }
    }
    return Status::OK;
  }

  Status SetNodeRole(ServerContext* context, const v1::SetNodeRoleRequest* request,
                     model::v1::Node* reply) override {
    return finish([&]() -> Result<> {
      const auto role = request->role() == model::v1::NODE_MANAGER ? model::NodeRole::manager
                                                                   : model::NodeRole::worker;
      TRY(const model::Node node,
          daemon_.set_node_role(request->node(), role, deadline_of(*context)));
      api::to_proto(node, *reply);
      return {};
    }());
  }

  Status UpdateNode(ServerContext* context, const v1::UpdateNodeRequest* request,
                    model::v1::Node* reply) override {
    return finish([&]() -> Result<> {
      TRY(auto change, node_change(*request));
      TRY(const model::Node node,
          daemon_.update_node(request->node(), std::move(change), deadline_of(*context)));
      api::to_proto(node, *reply);
      return {};
    }());
  }

  Status ListNodeEndpoints(ServerContext*, const v1::Ref* request,
                           v1::NodeEndpointList* reply) override {
    return finish([&]() -> Result<> {
      const auto view = daemon_.view();
      TRY(const model::Node* node, model::find_node(*view, request->ref()));
      fill(*view, *node, *reply);
      return {};
    }());
  }

  Status RemoveNode(ServerContext* context, const v1::RemoveNodeRequest* request,
                    v1::Empty*) override {
    return finish(daemon_.remove_node(request->node(),
                                      request->force() ? control::Force::yes : control::Force::no,
                                      deadline_of(*context)));
  }

  Status InjectSidecar(ServerContext* context, const v1::SidecarRequest* request,
                       v1::SidecarStatus* reply) override {
    return finish([&]() -> Result<> {
      TRY(const auto proxied, daemon_.inject_sidecar(request->workload(), deadline_of(*context)));
      fill(proxied, *reply);
      return {};
    }());
  }

  Status EjectSidecar(ServerContext* context, const v1::SidecarRequest* request,
                      v1::Empty*) override {
    return finish(daemon_.eject_sidecar(request->workload(), deadline_of(*context)));
  }

  Status ListSidecars(ServerContext*, const v1::ListRequest*, v1::SidecarList* reply) override {
    const auto view = daemon_.view();
    for (const auto& [id, sidecar] : view->sidecars) {
      const auto workload = view->workloads.find(id);
      if (workload == view->workloads.end()) continue;
      fill({workload->second, daemon_.proxy_status(id).value_or(mesh::ProxyStatus{}), {}},
           *reply->add_sidecars());
    }
    return Status::OK;
  }

  Status CreateLoadBalancer(ServerContext* context, const v1::CreateLoadBalancerRequest* request,
                            v1::LoadBalancerStatus* reply) override {
    return finish([&]() -> Result<> {
      TRY(control::LoadBalancerSpec spec, load_balancer_spec(*request));
      TRY(const model::LoadBalancer made,
          daemon_.create_load_balancer(std::move(spec), deadline_of(*context)));
      fill_balancer(made, *reply);
      return {};
    }());
  }

  Status ListLoadBalancers(ServerContext*, const v1::ListRequest*,
                           v1::LoadBalancerList* reply) override {
    const auto view = daemon_.view();
    for (const auto& [id, balancer] : view->load_balancers) {
      fill_balancer(balancer, *reply->add_load_balancers());
    }
    return Status::OK;
  }

  Status InspectLoadBalancer(ServerContext*, const v1::Ref* request,
                             v1::LoadBalancerStatus* reply) override {
    return finish([&]() -> Result<> {
      const auto view = daemon_.view();
      TRY(const auto* balancer, model::find_load_balancer(*view, request->ref()));
      fill_balancer(*balancer, *reply);
      return {};
    }());
  }

  Status RemoveLoadBalancer(ServerContext* context, const v1::Ref* request, v1::Empty*) override {
    return finish(daemon_.remove_load_balancer(request->ref(), deadline_of(*context)));
  }

  Status Verify(ServerContext*, const v1::VerifyRequest* request, v1::VerifyReply* reply) override {
    return finish([&]() -> Result<> {
      TRY(const auto verified,
          daemon_.verify(request->repair() ? control::Repair::yes : control::Repair::no));
      for (const auto& text : verified.differences) reply->add_differences(text);
      for (const auto& text : verified.repaired) reply->add_repaired(text);
      for (const auto& text : verified.notes) reply->add_notes(text);
      return {};
    }());
  }

  Status SystemInfo(ServerContext*, const v1::Empty*, v1::SystemInfoReply* reply) override {
    return finish([&]() -> Result<> {
      TRY(const auto info, daemon_.system_info());
      fill(info, *daemon_.view(), *reply);
      return {};
    }());
  }

  Status Reset(ServerContext* context, const v1::Empty*, v1::Empty*) override {
    return finish(daemon_.reset(deadline_of(*context)));
  }

 private:
  void fill_balancer(const model::LoadBalancer& balancer, v1::LoadBalancerStatus& out) {
    fill(*daemon_.view(), balancer, daemon_.proxy_status(balancer.id).value_or(mesh::ProxyStatus{}),
         out);
  }

  control::Daemon& daemon_;
};

// Root and the group may connect; others may not even see more than the name.
Result<> restrict_access(const std::string& socket, const std::string& group) {
  const struct group* found = ::getgrnam(group.c_str());
  if (found != nullptr && ::chown(socket.c_str(), 0, found->gr_gid) != 0) {
    return fail_errno(errno, "give " + socket + " to group " + group);
  }
  if (::chmod(socket.c_str(), 0660) != 0) return fail_errno(errno, "restrict " + socket);
  return {};
}

class GrpcServer final : public Server {
 public:
  GrpcServer(control::Daemon& daemon, flows::Source& flows) : service_(daemon), flows_(flows) {}
  ~GrpcServer() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  }

  Result<> listen(const Settings& settings) {
    grpc::ServerBuilder builder;
    grpc::ResourceQuota quota("api");
    quota.SetMaxThreads(kMaxThreads);
    builder.SetResourceQuota(quota);
    builder.SetMaxReceiveMessageSize(kMaxMessage);
    builder.AddListeningPort("unix:" + settings.socket, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    builder.RegisterService(&flows_);
    // The socket is born with the mode that it keeps: nobody slips in before the chmod.
    const mode_t before = ::umask(0177);
    server_ = builder.BuildAndStart();
    ::umask(before);
    if (!server_) {
      return fail(Errc::unavailable, "cannot listen on " + settings.socket +
                                         "; is its folder writable and the path under 108 bytes?");
    }
    return restrict_access(settings.socket, settings.group);
  }

 private:
  Service service_;
  FlowService flows_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Settings settings, control::Daemon& daemon,
                                              flows::Source& flows) {
  auto server = std::make_unique<GrpcServer>(daemon, flows);
  TRY_DO(server->listen(settings));
  return server;
}

}  // namespace heddle::server
