#pragma once
// Internal to this folder: a manager's end of one node's session.
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "netd/api/node.grpc.pb.h"
#include "netd/cluster/registry.h"
#include "netd/cluster/replica.h"

namespace heddle::cluster {

inline constexpr std::chrono::milliseconds kHeartbeat{1000};
inline constexpr std::chrono::milliseconds kSilence{3000};  // after which the other side is gone

using SessionStream = grpc::ServerReaderWriter<node::v1::SessionDown, node::v1::SessionUp>;

// Reads on the call's thread, writes on one of its own. State is sent by a cursor into the
// Replica's history, so a slow node costs no queue: it gets fewer and larger updates.
class SessionHost final : public Replica::Listener {
 public:
  SessionHost(Registry& registry, Replica& replica, grpc::ServerContext& context,
              SessionStream& stream, model::Id node, const model::Id& manager);
  ~SessionHost() override;

  grpc::Status run();    // until the session ends
  void check_silence();  // from housekeeping: ends it when the node has been silent
  void end() { context_.TryCancel(); }
  void poke() override;

  const model::Id& node() const { return node_; }
  const std::string& session() const { return session_; }
  bool began();  // the store knows of it

 private:
  grpc::Status read_all();
  Result<> begin(const node::v1::Hello& hello);
  Result<> take(const node::v1::Report& report);
  Result<> answer(std::uint64_t number, const Registry::Outcome& outcome);
  void write_all();
  bool write(const node::v1::SessionDown& message);
  bool write_state();
  bool in_swarm() const;

  Registry& registry_;
  Replica& replica_;
  grpc::ServerContext& context_;
  SessionStream& stream_;
  const model::Id node_;
  const std::string session_;  // <manager>-<random>: tells it from the node's others

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<node::v1::SessionDown> answers_;
  bool begun_ = false;
  bool dirty_ = false;  // the Replica has moved on
  bool busy_ = false;   // committing: the node is not being listened to
  bool closing_ = false;
  bool removed_ = false;  // the node is no longer in the swarm
  std::chrono::steady_clock::time_point heard_;

  store::Revision sent_ = 0;  // the writer's
  bool synced_ = false;       // the writer's: a first state was sent
};

}  // namespace heddle::cluster
