#pragma once
#include "netd/api/flows.grpc.pb.h"
#include "netd/flows/flow.h"

namespace heddle::server {

// netd/api/flows.proto. Threads: gRPC's.
class FlowService final : public api::v1::Flows::Service {
 public:
  // Borrowed.
  explicit FlowService(flows::Source& source) : source_(source) {}

  grpc::Status Read(grpc::ServerContext* context, const api::v1::ReadFlowsRequest* request,
                    api::v1::FlowList* reply) override;

 private:
  flows::Source& source_;
};

}  // namespace heddle::server
