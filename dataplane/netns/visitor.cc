#include "dataplane/netns/visitor.h"

#include <sched.h>

#include <cerrno>
#include <utility>

#include "common/base/check.h"
#include "dataplane/netns/netns.h"

namespace heddle::netns {
namespace {

thread_local bool is_away = false;

// Brings the thread home however the visit ends: one that stayed away would do the next thing in a
// stranger's namespace.
class Trip final {
 public:
  explicit Trip(int home) : home_(home) { CHECK(!std::exchange(is_away, true)); }
  Trip(const Trip&) = delete;
  Trip& operator=(const Trip&) = delete;
  ~Trip() {
    CHECK(::setns(home_, CLONE_NEWNET) == 0);
    is_away = false;
  }

 private:
  int home_;
};

}  // namespace

Result<Visitor> Visitor::open() {
  TRY(UniqueFd home, netns::open("/proc/thread-self/ns/net"));
  return Visitor(std::move(home));
}

Result<> Visitor::run_in_each(const std::vector<int>& netns_fds,
                              const std::function<Result<>(std::size_t)>& work) const {
  const Trip trip(home_.get());
  for (std::size_t i = 0; i < netns_fds.size(); ++i) {
    if (::setns(netns_fds[i], CLONE_NEWNET) < 0) return fail_errno(errno, "enter the namespace");
    TRY_DO(work(i));
  }
  return {};
}

Result<> Visitor::run_in(int netns_fd, const std::function<Result<>()>& work) const {
  return run_in_each({netns_fd}, [&](std::size_t) { return work(); });
}

Result<std::uint64_t> Visitor::cookie(int netns_fd) const {
  std::uint64_t value = 0;
  TRY_DO(run_in(netns_fd, [&]() -> Result<> {
    TRY(value, own_cookie());
    return {};
  }));
  return value;
}

}  // namespace heddle::netns
