#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <list>

#include "common/async/task.h"

namespace heddle {

// Owns the tasks it spawned: each runs on the group's executor, is cancelled with it and is joined
// before the group goes. A task that throws ends the program: tasks return Results.
// Threads: the executor's; not thread-safe.
// The destructor CHECKs that the group was joined.
class TaskGroup {
 public:
  explicit TaskGroup(asio::any_io_executor executor);
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  void spawn(Task<> task);
  std::size_t size() const { return members_.size(); }

  // Asks every member to stop at its next suspension; members that ignore it run on.
  void cancel();
  // Returns once no member is left. Not cancellable itself.
  Task<> join();

 private:
  struct Member {
    asio::cancellation_signal signal;
  };
  asio::any_io_executor executor_;
  std::list<Member> members_;
  asio::steady_timer empty_;  // cancelled when the last member ends
};

}  // namespace heddle
