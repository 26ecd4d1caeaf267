#include "netd/store/etcd_client.h"

namespace heddle::store {

Error EtcdClient::error(const grpc::Status& status, std::string_view what) const {
  const std::string text = std::string(what) + ": " + status.error_message();
  switch (status.error_code()) {
    case grpc::DEADLINE_EXCEEDED:
      if (channel->GetState(false) != GRPC_CHANNEL_READY) {
        return {Errc::unavailable, std::string(what) + ": etcd does not accept connections"};
      }
      return {Errc::timeout, std::string(what) + ": no answer in time"};
    case grpc::INVALID_ARGUMENT:
      return {Errc::invalid, text};
    case grpc::OUT_OF_RANGE:
      return {Errc::conflict, text};
    case grpc::RESOURCE_EXHAUSTED:
      return {Errc::exhausted, text};
    default:
      return {Errc::unavailable, text};
  }
}

void prepare(grpc::ClientContext& context) {
  context.set_wait_for_ready(true);
  context.AddMetadata("hasleader", "true");
}

void set_deadline(grpc::ClientContext& context, Deadline deadline) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(
                           deadline - std::chrono::steady_clock::now()));
}

}  // namespace heddle::store
