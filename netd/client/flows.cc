#include "netd/client/flows.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <utility>

#include "netd/api/flows.grpc.pb.h"
#include "netd/api/status.h"
#include "netd/client/channel.h"

namespace heddle::client {
namespace {

api::v1::ReadFlowsRequest request_of(const FlowQuery& query) {
  api::v1::ReadFlowsRequest request;
  request.set_after(query.after);
  request.set_one_of(query.one_of);
  request.set_wait_ms(static_cast<std::uint32_t>(query.wait.count()));
  request.set_workload(query.workload);
  request.set_service(query.service);
  request.set_verdict(query.verdict);
  request.set_reason(query.reason);
  return request;
}

Flow read_flow(const api::v1::Flow& flow) {
  return {.at = std::chrono::sys_time<std::chrono::microseconds>(
              std::chrono::microseconds(flow.time_us())),
          .verdict = flow.verdict(),
          .reason = flow.reason(),
          .network = flow.network(),
          .protocol = flow.protocol(),
          .from = flow.from(),
          .from_workload = flow.from_workload(),
          .to = flow.to(),
          .to_workload = flow.to_workload(),
          .service = flow.service(),
          .backend = flow.backend(),
          .node = flow.node(),
          .bytes = flow.bytes()};
}

}  // namespace

struct FlowReader::Impl {
  std::string socket;
  std::unique_ptr<api::v1::Flows::Stub> stub;
};

FlowReader::FlowReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FlowReader::~FlowReader() = default;

Result<std::unique_ptr<FlowReader>> FlowReader::connect(const std::string& socket) {
  TRY_DO(knock(socket));
  auto impl = std::make_unique<Impl>();
  impl->socket = socket;
  impl->stub = api::v1::Flows::NewStub(open_channel(socket));
  return std::unique_ptr<FlowReader>(new FlowReader(std::move(impl)));
}

Result<FlowPage> FlowReader::read(const FlowQuery& query, Deadline deadline) {
  grpc::ClientContext context;
  context.set_deadline(wall(deadline));
  api::v1::FlowList reply;
  const grpc::Status status = impl_->stub->Read(&context, request_of(query), &reply);
  if (!status.ok()) {
    Error error = api::from_status(status);
    if (error.code() == Errc::unavailable) TRY_DO(knock(impl_->socket));
    return std::unexpected(std::move(error));
  }
  FlowPage page{.flows = {}, .last = reply.last(), .lost = reply.lost()};
  for (const auto& flow : reply.flows()) page.flows.push_back(read_flow(flow));
  return page;
}

}  // namespace heddle::client
