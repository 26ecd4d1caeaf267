#include "netd/client/client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstdlib>

#include "netd/api/codec.h"
#include "netd/api/heddle.grpc.pb.h"
#include "netd/api/status.h"
#include "netd/client/channel.h"
#include "netd/client/translate.h"

namespace heddle::client {
namespace {

using Stub = api::v1::Heddle::Stub;

api::v1::Ref ref_of(const std::string& ref) {
  api::v1::Ref message;
  message.set_ref(ref);
  return message;
}

// What the daemon sends must hold too; if not, it is not the caller's fault.
template <class T>
Result<T> checked(Result<T> reply) {
  if (reply) return reply;
  return fail(Errc::internal, "heddled's answer is not understood (" + reply.error().text() +
                                  "); are heddle and heddled of one version?");
}

template <class T, class Messages>
Result<std::vector<T>> read_all(const Messages& messages) {
  std::vector<T> all;
  for (const auto& message : messages) {
    TRY(auto value, checked(read(message)));
    all.push_back(std::move(value));
  }
  return all;
}

template <class T, class Messages>
Result<std::vector<T>> decode_all(const Messages& messages) {
  std::vector<T> all;
  for (const auto& message : messages) {
    TRY(auto value, checked(api::from_proto(message)));
    all.push_back(std::move(value));
  }
  return all;
}

}  // namespace

struct Client::Impl {
  std::string socket;
  std::unique_ptr<Stub> stub;

  template <class Request, class Reply>
  Result<Reply> call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                     const Request& request, Deadline deadline) {
    grpc::ClientContext context;
    context.set_deadline(wall(deadline));
    Reply reply;
    const grpc::Status status = (stub.get()->*method)(&context, request, &reply);
    if (status.ok()) return reply;
    Error error = api::from_status(status);
    if (error.code() == Errc::unavailable) TRY_DO(knock(socket));
    if (error.code() == Errc::timeout) {
      return fail(Errc::timeout,
                  "heddled did not answer in time; the change may have been made all the same");
    }
    return std::unexpected(std::move(error));
  }
};

std::string default_socket() {
  const char* given = std::getenv("HEDDLE_SOCKET");
  return given != nullptr && *given != '\0' ? given : kDefaultSocket;
}

bool is_unreachable(const Error& error) {
  return error.code() == Errc::unavailable && error.text().starts_with(kNobody);
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::connect(const std::string& socket, Deadline) {
  TRY_DO(knock(socket));
  auto impl = std::make_unique<Impl>();
  impl->socket = socket;
  impl->stub = api::v1::Heddle::NewStub(open_channel(socket));
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Result<model::Network> Client::create_network(const NetworkDraft& draft, Deadline deadline) {
  api::v1::CreateNetworkRequest request;
  fill(draft, request);
  TRY(auto reply, impl_->call(&Stub::CreateNetwork, request, deadline));
  return checked(api::from_proto(reply));
}

Result<std::vector<model::Network>> Client::list_networks(const std::vector<Filter>& filters,
                                                          Deadline deadline) {
  api::v1::ListNetworksRequest request;
  fill(filters, *request.mutable_filters());
  TRY(auto reply, impl_->call(&Stub::ListNetworks, request, deadline));
  return decode_all<model::Network>(reply.networks());
}

Result<model::Network> Client::update_network(const NetworkChange& change, Deadline deadline) {
  api::v1::UpdateNetworkRequest request;
  fill(change, request);
  TRY(auto reply, impl_->call(&Stub::UpdateNetwork, request, deadline));
  return checked(api::from_proto(reply));
}

Result<std::vector<std::string>> Client::prune_networks(const std::vector<Filter>& filters,
                                                        Deadline deadline) {
  api::v1::PruneNetworksRequest request;
  fill(filters, *request.mutable_filters());
  TRY(auto reply, impl_->call(&Stub::PruneNetworks, request, deadline));
  return std::vector<std::string>(reply.names().begin(), reply.names().end());
}

Result<model::Endpoint> Client::publish(const Publication& publication, Deadline deadline) {
  api::v1::PublishRequest request;
  fill(publication, request);
  TRY(auto reply, impl_->call(&Stub::Publish, request, deadline));
  return checked(api::from_proto(reply));
}

Result<std::vector<EndpointPorts>> Client::list_ports(const std::string& workload,
                                                      Deadline deadline) {
  api::v1::ListPortsRequest request;
  request.set_workload(workload);
  TRY(auto reply, impl_->call(&Stub::ListPorts, request, deadline));
  return read_all<EndpointPorts>(reply.endpoints());
}

Result<NetworkDetails> Client::inspect_network(const std::string& ref, Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::InspectNetwork, ref_of(ref), deadline));
  return checked(read(reply));
}

Result<> Client::remove_network(const std::string& ref, Deadline deadline) {
  TRY_DO(impl_->call(&Stub::RemoveNetwork, ref_of(ref), deadline));
  return {};
}

Result<model::Endpoint> Client::attach(const Attachment& attachment, Deadline deadline) {
  api::v1::ConnectRequest request;
  fill(attachment, request);
  TRY(auto reply, impl_->call(&Stub::Connect, request, deadline));
  return checked(api::from_proto(reply));
}

Result<> Client::disconnect(const std::string& network, const std::string& workload,
                            Deadline deadline) {
  api::v1::DisconnectRequest request;
  request.set_network(network);
  request.set_workload(workload);
  TRY_DO(impl_->call(&Stub::Disconnect, request, deadline));
  return {};
}

Result<Started> Client::run(const RunDraft& draft, Deadline deadline) {
  api::v1::RunRequest request;
  fill(draft, request);
  TRY(auto reply, impl_->call(&Stub::Run, request, deadline));
  return checked(read(reply));
}

Result<std::vector<model::Workload>> Client::list_workloads(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListWorkloads, api::v1::ListRequest{}, deadline));
  return decode_all<model::Workload>(reply.workloads());
}

Result<std::vector<std::string>> Client::list_containers(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListContainers, api::v1::ListRequest(), deadline));
  return std::vector<std::string>(reply.references().begin(), reply.references().end());
}

Result<> Client::remove_workload(const std::string& ref, Force force, Deadline deadline) {
  api::v1::RemoveWorkloadRequest request;
  request.set_workload(ref);
  request.set_force(force == Force::yes);
  TRY_DO(impl_->call(&Stub::RemoveWorkload, request, deadline));
  return {};
}

Result<std::vector<ServiceDetails>> Client::list_services(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListServices, api::v1::ListRequest{}, deadline));
  return read_all<ServiceDetails>(reply.services());
}

Result<ServiceDetails> Client::inspect_service(const std::string& ref, Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::InspectService, ref_of(ref), deadline));
  return checked(read(reply));
}

Result<model::Service> Client::create_service(const ServiceDraft& draft, Deadline deadline) {
  api::v1::CreateServiceRequest request;
  request.set_name(draft.name);
  request.set_network(draft.network);
  for (const auto& port : draft.ports) api::to_proto(port, *request.add_ports());
  request.set_no_vip(!draft.vip);
  request.mutable_labels()->insert(draft.labels.begin(), draft.labels.end());
  TRY(auto reply, impl_->call(&Stub::CreateService, request, deadline));
  return checked(api::from_proto(reply));
}

Result<model::Service> Client::update_service(const ServiceChange& change, Deadline deadline) {
  api::v1::UpdateServiceRequest request;
  request.set_service(change.service);
  request.mutable_labels()->insert(change.labels.begin(), change.labels.end());
  request.mutable_removed_labels()->Assign(change.removed_labels.begin(),
                                           change.removed_labels.end());
  TRY(auto reply, impl_->call(&Stub::UpdateService, request, deadline));
  return checked(api::from_proto(reply));
}

Result<> Client::remove_service(const std::string& ref, Deadline deadline) {
  TRY_DO(impl_->call(&Stub::RemoveService, ref_of(ref), deadline));
  return {};
}

Result<SwarmStarted> Client::swarm_init(const SwarmInit& request, Deadline deadline) {
  api::v1::SwarmInitRequest message;
  message.set_advertise_address(request.advertise_address);
  message.set_api_port(request.api_port);
  message.set_data_address(request.data_address);
  message.set_vxlan_port(request.vxlan_port);
  message.set_pool(request.pool);
  message.set_force_new_cluster(request.force_new_cluster);
  TRY(auto reply, impl_->call(&Stub::SwarmInit, message, deadline));
  SwarmStarted started;
  TRY(started.node, checked(api::from_proto(reply.node())));
  started.join_command = reply.join_command();
  return started;
}

Result<model::Node> Client::swarm_join(const SwarmJoin& request, Deadline deadline) {
  api::v1::SwarmJoinRequest message;
  message.set_token(request.token);
  message.set_manager(request.manager);
  message.set_advertise_address(request.advertise_address);
  message.set_api_port(request.api_port);
  message.set_data_address(request.data_address);
  TRY(auto reply, impl_->call(&Stub::SwarmJoin, message, deadline));
  return checked(api::from_proto(reply));
}

Result<> Client::swarm_leave(Force force, Deadline deadline) {
  api::v1::SwarmLeaveRequest request;
  request.set_force(force == Force::yes);
  TRY_DO(impl_->call(&Stub::SwarmLeave, request, deadline));
  return {};
}

Result<JoinToken> Client::join_token(const TokenRequest& request, Deadline deadline) {
  api::v1::JoinTokenRequest message;
  message.set_role(static_cast<model::v1::NodeRole>(request.role));
  message.set_rotate(request.rotate);
  if (request.ttl) message.set_ttl_seconds(static_cast<std::uint32_t>(request.ttl->count()));
  TRY(auto reply, impl_->call(&Stub::JoinToken, message, deadline));
  return JoinToken{reply.token(), reply.join_command()};
}

Result<model::Node> Client::set_node_role(const std::string& node, model::NodeRole role,
                                          Deadline deadline) {
  api::v1::SetNodeRoleRequest request;
  request.set_node(node);
  request.set_role(static_cast<model::v1::NodeRole>(role));
  TRY(auto reply, impl_->call(&Stub::SetNodeRole, request, deadline));
  return checked(api::from_proto(reply));
}

Result<model::Node> Client::update_node(const NodeChange& change, Deadline deadline) {
  api::v1::UpdateNodeRequest request;
  request.set_node(change.node);
  if (change.availability) {
    request.set_availability(static_cast<model::v1::Availability>(*change.availability));
  }
  request.mutable_labels()->insert(change.labels.begin(), change.labels.end());
  request.mutable_removed_labels()->Assign(change.removed_labels.begin(),
                                           change.removed_labels.end());
  TRY(auto reply, impl_->call(&Stub::UpdateNode, request, deadline));
  return checked(api::from_proto(reply));
}

Result<std::vector<NodeEndpoint>> Client::list_node_endpoints(const std::string& node,
                                                              Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListNodeEndpoints, ref_of(node), deadline));
  return read_all<NodeEndpoint>(reply.endpoints());
}

Result<> Client::remove_node(const std::string& node, Force force, Deadline deadline) {
  api::v1::RemoveNodeRequest request;
  request.set_node(node);
  request.set_force(force == Force::yes);
  TRY_DO(impl_->call(&Stub::RemoveNode, request, deadline));
  return {};
}

Result<std::vector<NodeEntry>> Client::list_nodes(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListNodes, api::v1::ListRequest{}, deadline));
  return read_all<NodeEntry>(reply.nodes());
}

namespace {
api::v1::SidecarRequest sidecar_of(const std::string& workload) {
  api::v1::SidecarRequest request;
  request.set_workload(workload);
  return request;
}
}  // namespace

Result<SidecarStatus> Client::inject_sidecar(const std::string& workload, Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::InjectSidecar, sidecar_of(workload), deadline));
  return checked(read(reply));
}

Result<> Client::eject_sidecar(const std::string& workload, Deadline deadline) {
  TRY_DO(impl_->call(&Stub::EjectSidecar, sidecar_of(workload), deadline));
  return {};
}

Result<std::vector<SidecarStatus>> Client::list_sidecars(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListSidecars, api::v1::ListRequest{}, deadline));
  return read_all<SidecarStatus>(reply.sidecars());
}

Result<LoadBalancerStatus> Client::create_load_balancer(const LoadBalancerDraft& draft,
                                                        Deadline deadline) {
  api::v1::CreateLoadBalancerRequest request;
  fill(draft, request);
  TRY(auto reply, impl_->call(&Stub::CreateLoadBalancer, request, deadline));
  return checked(read(reply));
}

Result<std::vector<LoadBalancerStatus>> Client::list_load_balancers(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::ListLoadBalancers, api::v1::ListRequest{}, deadline));
  return read_all<LoadBalancerStatus>(reply.load_balancers());
}

Result<LoadBalancerStatus> Client::inspect_load_balancer(const std::string& ref,
                                                         Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::InspectLoadBalancer, ref_of(ref), deadline));
  return checked(read(reply));
}

Result<> Client::remove_load_balancer(const std::string& ref, Deadline deadline) {
  TRY_DO(impl_->call(&Stub::RemoveLoadBalancer, ref_of(ref), deadline));
  return {};
}

Result<Verified> Client::verify(Repair repair, Deadline deadline) {
  api::v1::VerifyRequest request;
  request.set_repair(repair == Repair::yes);
  TRY(auto reply, impl_->call(&Stub::Verify, request, deadline));
  return Verified{{reply.differences().begin(), reply.differences().end()},
                  {reply.repaired().begin(), reply.repaired().end()},
                  {reply.notes().begin(), reply.notes().end()}};
}

Result<SystemInfo> Client::system_info(Deadline deadline) {
  TRY(auto reply, impl_->call(&Stub::SystemInfo, api::v1::Empty{}, deadline));
  return read(reply);
}

Result<> Client::reset(Deadline deadline) {
  TRY_DO(impl_->call(&Stub::Reset, api::v1::Empty{}, deadline));
  return {};
}

}  // namespace heddle::client
