#include "tests/support/daemon/fake_daemon.h"

#include <google/protobuf/text_format.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "common/base/check.h"
#include "netd/api/flows.grpc.pb.h"
#include "netd/api/heddle.grpc.pb.h"
#include "netd/api/status.h"

namespace heddle::test {

namespace v1 = api::v1;
using grpc::ServerContext;

struct FakeDaemon::Impl final : v1::Heddle::Service {
  mutable std::mutex mutex;
  std::map<std::string, std::string> replies;
  std::map<std::string, Error> errors;
  std::set<std::string> stalled;
  std::vector<Call> calls;
  std::unique_ptr<grpc::Server> server;

  template <class Request, class Reply>
  grpc::Status answer(ServerContext* context, const char* method, const Request& request,
                      Reply* reply) {
    std::unique_lock lock(mutex);
    calls.push_back({method, request.ShortDebugString()});
    if (stalled.contains(method)) {
      std::condition_variable never;
      while (!context->IsCancelled()) never.wait_for(lock, std::chrono::milliseconds(5));
      return grpc::Status::CANCELLED;
    }
    if (const auto error = errors.find(method); error != errors.end()) {
      return api::to_status(error->second);
    }
    const auto text = replies.find(method);
    CHECK(text == replies.end() ||
          google::protobuf::TextFormat::ParseFromString(text->second, reply));
    return grpc::Status::OK;
  }

#define HEDDLE_METHOD(Name, Request, Reply)                                                  \
  grpc::Status Name(ServerContext* context, const Request* request, Reply* reply) override { \
    return answer(context, #Name, *request, reply);                                          \
  }
  HEDDLE_METHOD(CreateNetwork, v1::CreateNetworkRequest, model::v1::Network)
  HEDDLE_METHOD(ListNetworks, v1::ListNetworksRequest, v1::NetworkList)
  HEDDLE_METHOD(UpdateNetwork, v1::UpdateNetworkRequest, model::v1::Network)
  HEDDLE_METHOD(PruneNetworks, v1::PruneNetworksRequest, v1::PruneNetworksReply)
  HEDDLE_METHOD(Publish, v1::PublishRequest, model::v1::Endpoint)
  HEDDLE_METHOD(ListPorts, v1::ListPortsRequest, v1::PortList)
  HEDDLE_METHOD(InspectNetwork, v1::Ref, v1::NetworkDetails)
  HEDDLE_METHOD(RemoveNetwork, v1::Ref, v1::Empty)
  HEDDLE_METHOD(Connect, v1::ConnectRequest, model::v1::Endpoint)
  HEDDLE_METHOD(Disconnect, v1::DisconnectRequest, v1::Empty)
  HEDDLE_METHOD(Run, v1::RunRequest, v1::RunReply)
  HEDDLE_METHOD(ListWorkloads, v1::ListRequest, v1::WorkloadList)
  HEDDLE_METHOD(ListContainers, v1::ListRequest, v1::ContainerList)
  HEDDLE_METHOD(RemoveWorkload, v1::RemoveWorkloadRequest, v1::Empty)
  HEDDLE_METHOD(ListServices, v1::ListRequest, v1::ServiceList)
  HEDDLE_METHOD(InspectService, v1::Ref, v1::ServiceDetails)
  HEDDLE_METHOD(CreateService, v1::CreateServiceRequest, model::v1::Service)
  HEDDLE_METHOD(UpdateService, v1::UpdateServiceRequest, model::v1::Service)
  HEDDLE_METHOD(RemoveService, v1::Ref, v1::Empty)
  HEDDLE_METHOD(SwarmInit, v1::SwarmInitRequest, v1::SwarmInitReply)
  HEDDLE_METHOD(SwarmJoin, v1::SwarmJoinRequest, model::v1::Node)
  HEDDLE_METHOD(SwarmLeave, v1::SwarmLeaveRequest, v1::Empty)
  HEDDLE_METHOD(JoinToken, v1::JoinTokenRequest, v1::JoinTokenReply)
  HEDDLE_METHOD(ListNodes, v1::ListRequest, v1::NodeList)
  HEDDLE_METHOD(SetNodeRole, v1::SetNodeRoleRequest, model::v1::Node)
  HEDDLE_METHOD(UpdateNode, v1::UpdateNodeRequest, model::v1::Node)
  HEDDLE_METHOD(ListNodeEndpoints, v1::Ref, v1::NodeEndpointList)
  HEDDLE_METHOD(RemoveNode, v1::RemoveNodeRequest, v1::Empty)
  HEDDLE_METHOD(InjectSidecar, v1::SidecarRequest, v1::SidecarStatus)
  HEDDLE_METHOD(EjectSidecar, v1::SidecarRequest, v1::Empty)
  HEDDLE_METHOD(ListSidecars, v1::ListRequest, v1::SidecarList)
  HEDDLE_METHOD(CreateLoadBalancer, v1::CreateLoadBalancerRequest, v1::LoadBalancerStatus)
  HEDDLE_METHOD(ListLoadBalancers, v1::ListRequest, v1::LoadBalancerList)
  HEDDLE_METHOD(InspectLoadBalancer, v1::Ref, v1::LoadBalancerStatus)
  HEDDLE_METHOD(RemoveLoadBalancer, v1::Ref, v1::Empty)
  HEDDLE_METHOD(Verify, v1::VerifyRequest, v1::VerifyReply)
  HEDDLE_METHOD(SystemInfo, v1::Empty, v1::SystemInfoReply)
  HEDDLE_METHOD(Reset, v1::Empty, v1::Empty)
#undef HEDDLE_METHOD

  // The other service of the socket, whose calls are told with its name.
  struct Flows final : v1::Flows::Service {
    explicit Flows(Impl& all) : impl(all) {}
    grpc::Status Read(ServerContext* context, const v1::ReadFlowsRequest* request,
                      v1::FlowList* reply) override {
      return impl.answer(context, "ReadFlows", *request, reply);
    }
    Impl& impl;
  };
  Flows flows{*this};
};

FakeDaemon::FakeDaemon() : impl_(std::make_unique<Impl>()) {
  char folder[] = "/tmp/heddle-fake-XXXXXX";
  CHECK(::mkdtemp(folder) != nullptr);
  socket_ = std::string(folder) + "/heddled.sock";
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_, grpc::InsecureServerCredentials());
  builder.RegisterService(impl_.get());
  builder.RegisterService(&impl_->flows);
  impl_->server = builder.BuildAndStart();
  CHECK(impl_->server != nullptr);
}

FakeDaemon::~FakeDaemon() {
  stop();
  ::unlink(socket_.c_str());
  ::rmdir(socket_.substr(0, socket_.rfind('/')).c_str());
}

void FakeDaemon::stop() {
  if (impl_->server == nullptr) return;
  impl_->server->Shutdown(std::chrono::system_clock::now());
  impl_->server->Wait();
  impl_->server.reset();
}

void FakeDaemon::reply(const std::string& method, const std::string& text) {
  const std::lock_guard lock(impl_->mutex);
  impl_->replies[method] = text;
}

void FakeDaemon::fail(const std::string& method, Error error) {
  const std::lock_guard lock(impl_->mutex);
  impl_->errors.insert_or_assign(method, std::move(error));
}

void FakeDaemon::stall(const std::string& method) {
  const std::lock_guard lock(impl_->mutex);
  impl_->stalled.insert(method);
}

std::vector<FakeDaemon::Call> FakeDaemon::calls() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->calls;
}

}  // namespace heddle::test
