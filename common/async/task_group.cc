#include "common/async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>

#include "common/base/check.h"

namespace heddle {

TaskGroup::TaskGroup(asio::any_io_executor executor) : executor_(executor), empty_(executor) {}

TaskGroup::~TaskGroup() {
  CHECK(members_.empty());
}

void TaskGroup::spawn(Task<> task) {
  members_.emplace_back();
  const auto member = std::prev(members_.end());
  auto done = [this, member](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
    members_.erase(member);
    if (members_.empty()) empty_.cancel();
  };
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(member->signal.slot(), std::move(done)));
}

void TaskGroup::cancel() {
  // Emitting may complete and erase a member at once.
  for (auto it = members_.begin(); it != members_.end();) {
    auto& member = *it++;
    member.signal.emit(asio::cancellation_type::terminal);
  }
}

Task<> TaskGroup::join() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (!members_.empty()) {
    empty_.expires_at(asio::steady_timer::time_point::max());
    auto [ec] = co_await empty_.async_wait(nothrow);
    (void)ec;
  }
}

}  // namespace heddle
