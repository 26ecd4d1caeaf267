#pragma once
// Internal to this folder: messages of the node API to and from values.
#include <grpcpp/grpcpp.h>

#include "netd/api/node.pb.h"
#include "netd/cluster/registry.h"

namespace heddle::cluster {

// Limits of one message of the node API.
inline constexpr int kMaxMessageUp = 16 << 20;  // a Hello of some ten thousand endpoints
inline constexpr int kMaxMessageDown = 16 << 20;
inline constexpr std::size_t kStateBytes = 1 << 20;  // after which a State goes on in another

// Errors: `invalid`, naming the field.
Result<Registry::Report> from_proto(const node::v1::Report& report);
node::v1::Item to_item(const store::Change& change);

// The node that a call's certificate is for. Errors: `denied`.
Result<model::Id> caller_of(const grpc::ServerContext& context, const model::Id& swarm);

}  // namespace heddle::cluster
