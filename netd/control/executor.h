#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "common/base/check.h"
#include "common/base/result.h"

namespace heddle::control {

// The control executor: one thread that runs work in order of arrival, and timers. All of a node's
// state is touched by it alone.
// Bound:   kMaxQueue waiting pieces of work; call() past it is refused with `exhausted`. post() and
//          after() come from bounded sources (events and timers of our own) and are always taken.
// Threads: any may post; call() must not come from the executor itself (CHECKed).
class Executor {
 public:
  static constexpr std::size_t kMaxQueue = 4096;

  Executor();
  ~Executor();  // stop()
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void post(std::function<void()> work);
  void after(std::chrono::milliseconds delay, std::function<void()> work);

  // Runs `work` there and returns what it returns (a Result).
  template <class Work>
  auto call(Work work) -> std::invoke_result_t<Work> {
    using Returned = std::invoke_result_t<Work>;
    CHECK(!on_executor());
    auto task = std::make_shared<std::packaged_task<Returned()>>(std::move(work));
    auto done = task->get_future();
    if (!try_post([task] { (*task)(); })) {
      return fail(Errc::exhausted, "the daemon has too much work waiting; try again");
    }
    return done.get();
  }

  bool on_executor() const { return std::this_thread::get_id() == thread_.get_id(); }

  // Runs what is queued, drops timers, ends the thread. Later posts are dropped; later calls
  // refused.
  void stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool try_post(std::function<void()> work);
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::multimap<Time, std::function<void()>> timers_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace heddle::control
