#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <map>

#include "common/base/clock.h"

namespace heddle::io {

namespace asio = boost::asio;

// The deadlines of one core's streams behind a single timer. Moving a deadline later, which is what
// nearly every request does, costs a store; nothing wakes up while nothing is armed.
// Deadlines are kept to 8 ms. Threads: the executor's.
class DeadlineQueue {
  using Hook =
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

 public:
  // One deadline. Unlinks itself when destroyed.
  class Entry : public Hook {
   public:
    using Expired = void (*)(void* context);
    Entry(Expired expired, void* context) : expired_(expired), context_(context) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    friend class DeadlineQueue;
    Expired expired_;
    void* context_;
    Deadline deadline_ = Deadline::max();
    std::int64_t tick_ = 0;  // of the bucket it stands in; at most its deadline's
  };

  explicit DeadlineQueue(asio::any_io_executor executor) : timer_(executor) {}
  DeadlineQueue(const DeadlineQueue&) = delete;
  DeadlineQueue& operator=(const DeadlineQueue&) = delete;

  // Deadline::max() disarms.
  void arm(Entry& entry, Deadline deadline);
  void disarm(Entry& entry) { entry.deadline_ = Deadline::max(); }

 private:
  using Bucket = boost::intrusive::list<Entry, boost::intrusive::constant_time_size<false>>;

  void schedule();
  void on_timer();

  asio::steady_timer timer_;
  std::map<std::int64_t, Bucket> buckets_;  // by tick
  std::int64_t scheduled_ = INT64_MAX;
};

}  // namespace heddle::io
