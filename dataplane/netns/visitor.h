#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::netns {

// Visits namespaces on the caller's own thread, which is home again when a visit returns: two
// setns(2) (2 to 5 µs), where run_in() (netns.h) takes a thread. For threads of ours that do what
// they are told and nothing else; a thread that cannot come home ends the process.
// Threads: any, several at once; each from the namespace in which the Visitor was opened.
class Visitor final {
 public:
  // The calling thread's namespace is home.
  static Result<Visitor> open();

  // As those of netns.h; `work` may not visit in its turn (CHECKed), and starts no threads: they
  // would stay away.
  Result<> run_in(int netns_fd, const std::function<Result<>()>& work) const;
  Result<> run_in_each(const std::vector<int>& netns_fds,
                       const std::function<Result<>(std::size_t)>& work) const;
  Result<std::uint64_t> cookie(int netns_fd) const;

 private:
  explicit Visitor(UniqueFd home) : home_(std::move(home)) {}
  UniqueFd home_;
};

}  // namespace heddle::netns
