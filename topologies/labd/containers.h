#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"
#include "topologies/engine/container/engine.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::labd {

// The lab's nodes that are containers: made at the engine, their network namespaces pinned where
// other nodes have theirs, and watched: by their processes, which needs no engine.
// Threads: any, one change of a container at a time; one of its own, from the first container on,
// on which `on_ended` is called.
class Containers final {
 public:
  // A container has ended by itself.
  using OnEnded = std::function<void(const std::string& member, int status)>;
  Containers(const plan::LabPaths& paths, OnEnded on_ended);
  Containers(const Containers&) = delete;
  Containers& operator=(const Containers&) = delete;
  ~Containers();

  // Before any of them is created: that an engine answers, and that their images are there. Told of
  // each image that was pulled. `environment` says where the engine is.
  using OnPulled = std::function<void(const std::string& image)>;
  Result<> prepare(const std::vector<const plan::Member*>& members,
                   const format::Environment& environment, const OnPulled& on_pulled);
  // Created and started. The engine's warnings. `directory`: where relative binds begin.
  Result<std::vector<std::string>> create(const plan::Member& member, const std::string& directory);
  Result<> start(const plan::Member& member);  // one that was killed
  Result<> kill(const plan::Member& member);   // its file system stays
  enum class Stand { still, not_still };
  Result<> set(const plan::Member& member, Stand stand);
  Result<> remove(const plan::Member& member);

  // Where a command in it starts. Errors: `unavailable` when it has ended.
  struct Inside {
    UniqueFd process;  // a pidfd of its first process
    int pid = 0;
    std::string root;
    std::string directory;
    std::map<std::string, std::string> env;
    std::optional<std::uint64_t> capabilities;
  };
  Result<Inside> enter(const plan::Member& member) const;
  bool has_ended(const std::string& member) const;

 private:
  struct Running {
    UniqueFd process;
    container::State state;
    std::optional<std::uint64_t> capabilities;
    std::string name;  // of the container
    std::uint64_t serial = 0;
    bool ended = false;
  };
  Result<> check_binds(const plan::Member& member, const std::string& directory) const;
  Result<> began(const plan::Member& member, const container::State& state);
  Result<> watch(const plan::Member& member, Running running);
  void unwatch(const std::string& member);
  void run();
  void ended(std::uint64_t serial);

  const plan::LabPaths paths_;
  const OnEnded on_ended_;
  std::unique_ptr<container::Engine> engine_;  // with the first container

  mutable std::mutex mutex_;
  std::map<std::string, Running> running_;  // by member
  std::uint64_t next_serial_ = 1;
  UniqueFd epoll_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace heddle::labd
