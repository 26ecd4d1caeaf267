#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "proxy/io/deadline_queue.h"

namespace heddle::io {

// Something that one coroutine of a core waits for: it looks at what it needs, and waits if that is
// not there yet. A notify() that comes while nobody waits is nothing. Costs no allocation.
// Threads: the executor's.
class Signal {
 public:
  Signal(asio::any_io_executor executor, DeadlineQueue& deadlines)
      : executor_(std::move(executor)), deadlines_(deadlines), deadline_(&Signal::expired, this) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // False at the deadline.
  Task<bool> wait(Deadline deadline);
  void notify() { resume(true); }
  bool is_awaited() const { return waiter_.has_value(); }
  // Moves the deadline of the wait that is under way, if one is.
  void expect_by(Deadline deadline) {
    if (waiter_) deadlines_.arm(deadline_, deadline);
  }

 private:
  using Waiter = asio::async_result<asio::use_awaitable_t<>, void(bool)>::handler_type;
  static void expired(void* self) { static_cast<Signal*>(self)->resume(false); }
  void resume(bool in_time);

  asio::any_io_executor executor_;
  DeadlineQueue& deadlines_;
  DeadlineQueue::Entry deadline_;
  std::optional<Waiter> waiter_;
};

}  // namespace heddle::io
