#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::store {

// The store's own counter: every committed transaction gives all objects it wrote the same, higher
// revision. 0 is before everything.
using Revision = std::uint64_t;

// One stored object. `kind` and `id` are its key: 1 to 64 of [a-z0-9._-] each. `payload` is what
// the codec made of a model value; the store does not look inside.
struct Object {
  std::string kind;  // network, endpoint, node ...
  std::string id;
  std::string name;  // unique within its kind when not empty
  model::Labels labels;
  std::string payload;    // bytes; at most kMaxPayload
  Revision revision = 0;  // of the last write; set by the store
  friend bool operator==(const Object&, const Object&) = default;
};
inline constexpr std::size_t kMaxPayload = 1 << 20;

struct Key {
  std::string kind;
  std::string id;
  friend auto operator<=>(const Key&, const Key&) = default;
};

// What must hold for a transaction to commit. `revision` 0: the object must not exist.
struct Compare {
  Key key;
  Revision revision = 0;
};

// What a commit outlives. One that need only outlive the process may be lost when the machine loses
// power, then with all later ones of its kind, and never without leaving a whole earlier state: it
// does not wait for the disk. Any commit that outlives the machine takes all before it along.
enum class Outlives { machine, process };

// All or nothing. Puts ignore Object::revision.
struct Transaction {
  std::vector<Compare> compares;
  std::vector<Object> puts;
  std::vector<Key> deletes;
  Outlives outlives = Outlives::machine;  // etcd: always
};

struct Listing {
  std::vector<Object> objects;  // by kind, then id
  Revision revision = 0;        // the state they were read at
};

// One change, in commit order; all of one transaction have the same revision.
struct Change {
  Revision revision = 0;
  Key key;
  std::optional<Object> object;  // absent: deleted
};

// Desired state and reports, as objects. Two engines, one conformance suite.
// Threads:  any; calls block. Watch callbacks come on a thread of the store, one at a time, in
// order. Deadline: past it, `timeout`; a commit may have happened. Errors:   `conflict` when a
// compare fails or a name is taken (then text names it); `invalid` for a
//           bad key or an oversized payload; `unavailable` when the engine cannot answer (no
//           quorum, disk full); `exhausted` when it is full.
class Store {
 public:
  virtual ~Store() = default;

  virtual Result<std::optional<Object>> get(const Key& key, Deadline deadline) = 0;
  // All objects of a kind; of every kind when `kind` is empty.
  virtual Result<Listing> list(const std::string& kind, Deadline deadline) = 0;
  virtual Result<Revision> commit(const Transaction& transaction, Deadline deadline) = 0;

  // Calls back for every transaction after `from`, each whole, until the Watch is destroyed (which
  // waits for a callback under way). An Error ends it: `conflict` when `from` was compacted away
  // (list again), else `unavailable` (watch again from the last revision seen).
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  using OnChange = std::function<void(Result<std::vector<Change>>)>;
  virtual Result<std::unique_ptr<Watch>> watch(Revision from, OnChange on_change) = 0;
};

// `file` is created with mode 0600. A second process on the same file: `in_use`.
Result<std::unique_ptr<Store>> open_sqlite(const std::string& file);

struct EtcdTarget {
  std::string endpoint;  // 127.0.0.1:7379
  std::string ca_pem;    // empty all three: without TLS (tests)
  std::string cert_pem;
  std::string key_pem;
  std::string prefix;  // all keys start with it: heddle/v1/
};
Result<std::unique_ptr<Store>> open_etcd(const EtcdTarget& target);

}  // namespace heddle::store
