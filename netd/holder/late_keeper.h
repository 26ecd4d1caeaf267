#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/base/unique_fd.h"
#include "netd/holder/keeper.h"

namespace heddle::holder {

// Gives descriptors to a Keeper after its caller went on: in order, on a thread of its own. For
// what the caller's answer does not depend on: until a descriptor is kept, only a restart at this
// very moment notices. Failures are logged.
// Bound:   kMostWaiting requests; put() and drop() wait beyond them.
// Threads: any. The destructor finishes.
class LateKeeper final {
 public:
  static constexpr std::size_t kMostWaiting = 1024;

  explicit LateKeeper(Keeper& keeper);  // borrowed
  LateKeeper(const LateKeeper&) = delete;
  LateKeeper& operator=(const LateKeeper&) = delete;
  ~LateKeeper();

  void put(std::string name, UniqueFd fd);
  void drop(std::string name);
  // Waits until the Keeper has heard of all that was asked before.
  void finish();

 private:
  struct Request {
    std::string name;
    std::optional<UniqueFd> fd;  // absent: drop
  };
  void add(Request request);
  void run();

  Keeper& keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> waiting_;  // the first is under way
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace heddle::holder
