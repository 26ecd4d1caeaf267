#include "netd/cluster/node_client.h"

#include "netd/cluster/wire.h"
#include "netd/identity/authority.h"

namespace heddle::cluster {

std::shared_ptr<grpc::Channel> dial(const std::string& target, const Credentials& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(std::string(identity::kManagerName));
  arguments.SetMaxReceiveMessageSize(kMaxMessageDown);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2'000);  // what one attempt may take
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  return grpc::CreateCustomChannel(target,
                                   grpc::SslCredentials({credentials.root_pem, credentials.key_pem,
                                                         credentials.certificate_pem}),
                                   arguments);
}

void set_deadline(grpc::ClientContext& context, Deadline deadline) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(
                           deadline - std::chrono::steady_clock::now()));
}

}  // namespace heddle::cluster
