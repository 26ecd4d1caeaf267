#include "proxy/io/deadline_queue.h"

#include <chrono>

namespace heddle::io {
namespace {

constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(8);

// Rounded up: an entry never fires early.
std::int64_t tick_of(Deadline deadline) {
  return (deadline.time_since_epoch() + kTick - std::chrono::nanoseconds(1)) / kTick;
}

Deadline time_of(std::int64_t tick) {
  return Deadline(std::chrono::duration_cast<Deadline::duration>(tick * kTick));
}

}  // namespace

void DeadlineQueue::arm(Entry& entry, Deadline deadline) {
  entry.deadline_ = deadline;
  if (deadline == Deadline::max()) return;
  const std::int64_t tick = tick_of(deadline);
  if (entry.is_linked()) {
    if (entry.tick_ <= tick) return;
    entry.unlink();
  }
  entry.tick_ = tick;
  buckets_[tick].push_back(entry);
  schedule();
}

void DeadlineQueue::schedule() {
  if (buckets_.empty() || buckets_.begin()->first >= scheduled_) return;
  scheduled_ = buckets_.begin()->first;
  timer_.expires_at(time_of(scheduled_));
  timer_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) on_timer();
  });
}

void DeadlineQueue::on_timer() {
  scheduled_ = INT64_MAX;
  const Deadline now = std::chrono::steady_clock::now();
  while (!buckets_.empty() && time_of(buckets_.begin()->first) <= now) {
    Bucket due = std::move(buckets_.begin()->second);
    buckets_.erase(buckets_.begin());
    // What fires may disarm or destroy others: they unlink themselves from `due`.
    while (!due.empty()) {
      Entry& entry = due.front();
      due.pop_front();
      if (entry.deadline_ <= now) {
        entry.deadline_ = Deadline::max();
        entry.expired_(entry.context_);
      } else {
        arm(entry, entry.deadline_);
      }
    }
  }
  while (!buckets_.empty() && buckets_.begin()->second.empty()) buckets_.erase(buckets_.begin());
  schedule();
}

}  // namespace heddle::io
