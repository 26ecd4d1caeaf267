#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/result.h"

namespace heddle::netns {

// Visits namespaces for a thread that may not leave its own, like run_in() (netns.h), but on one
// thread that stays: a visit costs two hand-overs and two setns(2) (20 to 40 µs), not a thread.
// Between visits that thread is at home, so that no namespace lives longer for having been visited.
// Threads: one caller at a time. It has the mount namespace of the thread that started it.
class Visitor final {
 public:
  static Result<std::unique_ptr<Visitor>> start();
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  ~Visitor();

  // As those of netns.h; `work` may not visit in its turn (CHECKed).
  Result<> run_in(int netns_fd, const std::function<Result<>()>& work);
  Result<> run_in_each(const std::vector<int>& netns_fds,
                       const std::function<Result<>(std::size_t)>& work);
  Result<std::uint64_t> cookie(int netns_fd);

 private:
  struct Impl;
  explicit Visitor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::netns
