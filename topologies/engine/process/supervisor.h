#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "topologies/engine/process/spawn.h"

namespace heddle::process {

// How a process ended.
struct Ending {
  int exit = 0;    // exit status; 128 + signal when a signal ended it, as shells say
  int signal = 0;  // 0: it exited
  std::chrono::milliseconds time{0};
};

struct Output {
  std::string text;
  std::uint64_t dropped_bytes = 0;  // past kMaxOutput; the beginning goes, the end stays
};
inline constexpr std::size_t kMaxOutput = 1U << 20;

// One process and what it prints. Threads: any.
class Child {
 public:
  virtual ~Child() = default;
  virtual int pid() const = 0;
  virtual std::optional<Ending> ending() const = 0;
  // Errors: `timeout`. All that the process itself printed is in its output then; children that it
  // left behind may print on.
  virtual Result<Ending> wait(Deadline deadline) = 0;
  // Nothing once it was reaped. `group`: also to the children that stayed in its process group.
  enum class Reach { group, process };
  virtual void signal(int number, Reach reach) = 0;
  virtual Output output() const = 0;
  // Of its output, what comes behind the first `offset` bytes, as far as it was kept;
  // `dropped_bytes` counts all that is before.
  virtual Output output_since(std::uint64_t offset) const = 0;
  virtual Output error() const = 0;
};

// Starts processes, reaps every child of this program and collects what they print. Also the
// orphans' parent: construction makes this program a subreaper (prctl(2)).
// Threads: any; owns one that reaps and one that reads what all children print.
// There is at most one per program, since it waits for all children.
class Supervisor final {
 public:
  Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor();  // children must have ended, or end with the program

  // `capture`: output and error are collected; otherwise the request's descriptors are used.
  enum class Streams { capture, as_given };
  // `on_ended` runs on the reaping thread, before anybody's wait() ends; it must not start
  // anything.
  using OnEnded = std::function<void(const Ending&)>;
  Result<std::shared_ptr<Child>> start(const SpawnRequest& request, Streams streams,
                                       OnEnded on_ended = {});

 private:
  class Process;
  struct Table;
  std::shared_ptr<Table> table_;
  std::thread reaper_;
  std::thread reader_;
};

}  // namespace heddle::process
