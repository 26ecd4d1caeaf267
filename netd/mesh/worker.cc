#include "netd/mesh/worker.h"

namespace heddle::mesh {

void Worker::at(Time time, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    queue_.emplace(std::pair(time, next_order_++), std::move(work));
  }
  changed_.notify_one();
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (queue_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Time due = queue_.begin()->first.first;
    if (std::chrono::steady_clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    auto work = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    lock.unlock();
    work();
    work = nullptr;  // what it holds goes outside the lock
    lock.lock();
  }
}

}  // namespace heddle::mesh
