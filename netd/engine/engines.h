#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/engine/client.h"
#include "netd/engine/container.h"
#include "netd/engine/sandbox.h"
#include "netd/model/objects.h"

namespace heddle::engine {

// A container as it was when its engine was asked.
struct Sighting {
  model::WorkloadKind kind = model::WorkloadKind::docker;
  std::string id;
  std::optional<Container> container;  // nothing: it was removed
  // While it runs: what was checked to be this container's and no other process's.
  std::shared_ptr<const Sandbox> sandbox;
  bool ending = false;  // it was told to end: nothing new is to be sent to it
};

// The container engines of this host: finds containers for those who want to connect them, and
// follows those that are connected.
// Threads: any; on_sighting comes on a thread of its engine's, and must only hand over.
class Engines {
 public:
  using OnSighting = std::function<void(Sighting)>;
  static Result<std::unique_ptr<Engines>> start(std::vector<Engine> engines,
                                                OnSighting on_sighting);
  virtual ~Engines() = default;  // no call comes after it

  // `docker:NAME|ID` or `podman:NAME|ID`, running in a namespace of its own.
  // Errors: those of Client; `unavailable` when it does not run and `invalid` when it cannot be
  // connected, each with what to do.
  virtual Result<Sighting> find(const std::string& reference, Deadline deadline) = 0;

  // References to the containers that run, sorted, of the engines that answer in half of the time:
  // whoever asks for them waits no longer than the deadline.
  virtual std::vector<std::string> list_running(Deadline deadline) = 0;

  // From now on these are followed, by id, and no others of that engine: each is seen once soon,
  // and again whenever something about it may have changed.
  virtual void follow(model::WorkloadKind kind, std::set<std::string> containers) = 0;

  // What keeps engines from being followed now: a sentence each.
  virtual std::vector<std::string> troubles() = 0;

  // Holds the sighting's namespace at `path`, and lets it go. Both idempotent.
  virtual Result<> pin(const Sighting& sighting, const std::string& path) = 0;
  virtual Result<> unpin(const std::string& path) = 0;
};

// Whether a reference is for an engine.
bool is_container(const std::string& reference);

}  // namespace heddle::engine
