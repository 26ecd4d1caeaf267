#include "proxy/io/signal.h"

#include <boost/asio/post.hpp>

#include "common/base/check.h"

namespace heddle::io {

Task<bool> Signal::wait(Deadline deadline) {
  auto initiate = [this, deadline](auto&& handler) {
    CHECK(!waiter_);
    waiter_.emplace(std::move(handler));
    deadlines_.arm(deadline_, deadline);
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(initiate,
                                                                         asio::use_awaitable);
}

// The waiter runs from the executor: whoever notifies may be in the middle of something.
void Signal::resume(bool in_time) {
  if (!waiter_) return;
  deadlines_.disarm(deadline_);
  Waiter waiter = std::move(*waiter_);
  waiter_.reset();
  asio::post(executor_,
             [waiter = std::move(waiter), in_time]() mutable { std::move(waiter)(in_time); });
}

}  // namespace heddle::io
