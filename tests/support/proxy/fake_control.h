#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/net/ip.h"
#include "netd/api/proxy.pb.h"

namespace heddle::testing {

namespace pb = heddle::proxy::v1;

// heddled's side of the proxy's stream, over real gRPC on a unix socket: serves one snapshot, group
// updates and answers to Resolve, and remembers what proxies said. Threads: any.
class FakeControl {
 public:
  explicit FakeControl(std::string socket_path);
  ~FakeControl();

  void start();
  void stop();  // as if killed: open streams break

  void set_snapshot(pb::Snapshot snapshot);  // also sent to connected proxies
  void put_group(pb::TargetGroup group);     // the same; stands for later Resolves too
  void remove_group(const std::string& name);
  void set_destination(const SocketAddr& destination, const std::string& group);
  void send(const pb::ConfigMessage& message);  // as it is, to connected proxies

  bool wait_for_ack(std::uint64_t revision, std::chrono::milliseconds budget);
  std::string ack_error(std::uint64_t revision) const;
  std::size_t hellos() const;
  std::size_t resolves() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string socket_path_;
};

pb::SocketAddress address_of(const SocketAddr& address);
pb::Target target_of(const std::string& id, const SocketAddr& address,
                     pb::TargetState state = pb::TARGET_READY);
pb::TargetGroup group_of(const std::string& name, pb::Protocol protocol,
                         const std::vector<SocketAddr>& targets);
pb::Listener http_listener(const std::string& name, const std::string& socket,
                           const std::string& group);

}  // namespace heddle::testing
