#include "dataplane/netns/visitor.h"

#include <sched.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/base/unique_fd.h"
#include "dataplane/netns/netns.h"

namespace heddle::netns {

using Trip = std::function<Result<>()>;

struct Visitor::Impl {
  explicit Impl(UniqueFd opened) : home(std::move(opened)) {}

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return trip != nullptr || stopping; });
      if (trip == nullptr) return;
      lock.unlock();
      auto done = (*trip)();
      lock.lock();
      outcome = std::move(done);
      trip = nullptr;
      lock.unlock();
      changed.notify_all();
      lock.lock();
    }
  }

  Result<> take(const Trip& wanted) {
    CHECK(std::this_thread::get_id() != thread.get_id());
    std::unique_lock lock(mutex);
    trip = &wanted;
    lock.unlock();
    changed.notify_all();
    lock.lock();
    changed.wait(lock, [this] { return trip == nullptr; });
    return std::exchange(outcome, Result<>());
  }

  const UniqueFd home;
  std::mutex mutex;
  std::condition_variable changed;
  const Trip* trip = nullptr;
  Result<> outcome;
  bool stopping = false;
  std::thread thread;
};

Visitor::Visitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Visitor>> Visitor::start() {
  TRY(UniqueFd home, open("/proc/thread-self/ns/net"));
  auto impl = std::make_unique<Impl>(std::move(home));
  try {
    impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start a thread that visits namespaces");
  }
  return std::unique_ptr<Visitor>(new Visitor(std::move(impl)));
}

Visitor::~Visitor() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

Result<> Visitor::run_in_each(const std::vector<int>& netns_fds,
                              const std::function<Result<>(std::size_t)>& work) {
  const Trip trip = [&]() -> Result<> {
    Result<> result;
    for (std::size_t i = 0; i < netns_fds.size() && result; ++i) {
      if (::setns(netns_fds[i], CLONE_NEWNET) < 0) {
        result = fail_errno(errno, "enter the namespace");
      } else {
        result = work(i);
      }
    }
    // A thread that stayed away would do the next one's work in a stranger's namespace.
    CHECK(::setns(impl_->home.get(), CLONE_NEWNET) == 0);
    return result;
  };
  return impl_->take(trip);
}

Result<> Visitor::run_in(int netns_fd, const std::function<Result<>()>& work) {
  return run_in_each({netns_fd}, [&](std::size_t) { return work(); });
}

Result<std::uint64_t> Visitor::cookie(int netns_fd) {
  std::uint64_t value = 0;
  TRY_DO(run_in(netns_fd, [&]() -> Result<> {
    TRY(value, own_cookie());
    return {};
  }));
  return value;
}

}  // namespace heddle::netns
