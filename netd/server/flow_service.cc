#include "netd/server/flow_service.h"

#include <algorithm>

#include "netd/api/status.h"

namespace heddle::server {
namespace {

// A reader that is gone holds its thread no longer than this.
constexpr std::uint32_t kMostWaitMs = 10'000;

flows::Query query_of(const api::v1::ReadFlowsRequest& request) {
  return {.after = request.after(),
          .one_of = request.one_of() == 0 ? 1 : request.one_of(),
          .wait = std::chrono::milliseconds(std::min(request.wait_ms(), kMostWaitMs)),
          .workload = request.workload(),
          .service = request.service(),
          .verdict = request.verdict(),
          .reason = request.reason()};
}

void fill_page(const flows::Page& page, api::v1::FlowList& out) {
  out.set_last(page.last);
  out.set_lost(page.lost);
  for (const flows::Flow& flow : page.flows) {
    auto& entry = *out.add_flows();
    entry.set_time_us(flow.at.time_since_epoch().count());
    entry.set_verdict(flow.verdict);
    entry.set_reason(flow.reason);
    entry.set_network(flow.network);
    entry.set_protocol(flow.protocol);
    entry.set_from(flow.from);
    entry.set_from_workload(flow.from_workload);
    entry.set_to(flow.to);
    entry.set_to_workload(flow.to_workload);
    entry.set_service(flow.service);
    entry.set_backend(flow.backend);
    entry.set_node(flow.node);
    entry.set_bytes(flow.bytes);
  }
}

}  // namespace

grpc::Status FlowService::Read(grpc::ServerContext*, const api::v1::ReadFlowsRequest* request,
                               api::v1::FlowList* reply) {
  const flows::Query query = query_of(*request);
  const auto page = source_.read(query, std::chrono::steady_clock::now() + query.wait);
  if (!page) return api::to_status(page.error());
  fill_page(*page, *reply);
  return grpc::Status::OK;
}

}  // namespace heddle::server
