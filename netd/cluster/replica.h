#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/model/objects.h"
#include "netd/store/store.h"

namespace heddle::cluster {

// The kinds of objects that a swarm's store holds.
inline constexpr char kSwarmKind[] = "swarm";  // one, id `swarm`
inline constexpr char kNodeKind[] = "node";
inline constexpr char kNetworkKind[] = "network";
inline constexpr char kServiceKind[] = "service";
inline constexpr char kEndpointKind[] = "endpoint";
inline constexpr char kBlockKind[] = "block";  // id: <network>.<address>-<length>.<owner>
inline constexpr char kVipKind[] = "vip";      // id: <network>.<address>; payload: service
inline constexpr char kTokenKind[] = "token";  // id: worker, manager
// Guards have no payload: their revision tells one writer that another was there. Endpoints that
// come put `use` of their network, so that its removal, or a service's, sees them; claims of
// addresses compare and put `pool`.
inline constexpr char kUseKind[] = "use";             // id: network
inline constexpr char kManagersGuard[] = "managers";  // of kind `use`: put by who takes one out
inline constexpr char kPoolKind[] = "pool";  // id: network, or `swarm` for subnets and VNIs

inline constexpr char kSessionLabel[] = "session";  // of nodes: the id of the session they are in
inline constexpr char kKeyLabel[] = "key";          // of nodes: SHA-256 of their public key

template <class T>
struct Stored {
  T value;
  store::Revision revision = 0;
  model::Labels labels;
};

// The objects of a swarm's store, decoded.
struct Objects {
  std::optional<Stored<model::Swarm>> swarm;
  std::map<model::Id, Stored<model::Node>> nodes;
  std::map<model::Id, Stored<model::Network>> networks;
  std::map<model::Id, Stored<model::Service>> services;
  std::map<model::Id, Stored<model::Endpoint>> endpoints;
  std::map<std::string, Stored<model::AddressBlock>> blocks;  // by the object's id
  std::map<store::Key, store::Object> raw;                    // all, these too
  store::Revision revision = 0;

  // Errors: `internal` when a payload is not what its kind says; then nothing changed.
  Result<> apply(const store::Change& change);
  store::Revision revision_of(const store::Key& key) const;  // 0: absent
};

// A manager's copy of the whole store in memory, behind its commits by a watch's delay.
// Threads: any. Listeners are poked on the store's thread and must only wake somebody.
class Replica {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void poke() = 0;
  };

  // Lists the store; then follows it, listing again whenever the watch has fallen behind.
  static Result<std::unique_ptr<Replica>> start(store::Store& store, Deadline deadline);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;
  ~Replica();

  // Calls `look` with the objects under the lock: no blocking calls in there.
  void read(const std::function<void(const Objects&)>& look) const;
  store::Revision revision() const;
  // Errors: `timeout`.
  Result<> wait_for(store::Revision revision, Deadline deadline) const;
  // Brings the copy up to what was committed before this call.
  Result<> catch_up(Deadline deadline) const;

  // What a node that has `from` lacks. Absent when that is too long ago.
  struct Update {
    store::Revision revision = 0;
    std::vector<store::Change> changes;
  };
  std::optional<Update> changes_since(store::Revision from) const;
  Update everything() const;  // that nodes hear of

  void subscribe(Listener& listener);
  void unsubscribe(Listener& listener);

 private:
  explicit Replica(store::Store& store) : store_(store) {}

  Result<> load(Deadline deadline);
  void heard(Result<std::vector<store::Change>> changes);
  void run_recovery();

  store::Store& store_;
  mutable std::mutex mutex_;
  mutable std::condition_variable advanced_;
  Objects objects_;
  std::deque<store::Change> history_;  // the last changes, whole revisions
  store::Revision history_from_ = 0;   // changes after it are in history_
  std::set<Listener*> listeners_;

  // The watch, and the thread that lists again when it failed: the callback itself must not.
  std::unique_ptr<store::Store::Watch> watch_;
  std::condition_variable broken_;
  bool reload_ = false;
  bool stopping_ = false;
  std::thread recovery_;
};

}  // namespace heddle::cluster
