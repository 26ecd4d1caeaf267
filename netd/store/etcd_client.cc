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

Result<std::shared_ptr<grpc::Channel>> etcd_channel(const EtcdTarget& target) {
  const bool some = !target.ca_pem.empty() || !target.cert_pem.empty() || !target.key_pem.empty();
  const bool all = !target.ca_pem.empty() && !target.cert_pem.empty() && !target.key_pem.empty();
  if (some != all) {
    return fail(Errc::invalid, "etcd's CA, certificate and key are given together or not at all");
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (all) credentials = grpc::SslCredentials({target.ca_pem, target.key_pem, target.cert_pem});
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // our own child's answers, a page or a transaction each
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);  // what one attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target.endpoint, credentials, arguments);
}

}  // namespace heddle::store
