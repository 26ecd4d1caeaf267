#pragma once
// Internal to this folder: how a node calls a manager.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "common/base/clock.h"
#include "netd/api/node.grpc.pb.h"

namespace heddle::cluster {

struct Credentials {
  std::string root_pem;
  std::string certificate_pem;  // empty with key_pem: a node that joins
  std::string key_pem;
};

// A connection that accepts nobody but a manager of the root's swarm, whatever its address is.
std::shared_ptr<grpc::Channel> dial(const std::string& target, const Credentials& credentials);

void set_deadline(grpc::ClientContext& context, Deadline deadline);

}  // namespace heddle::cluster
