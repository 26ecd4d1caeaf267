#include "netd/control/executor.h"

namespace heddle::control {

Executor::Executor() : thread_([this] { run(); }) {}

Executor::~Executor() {
  stop();
}

void Executor::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(work));
  wake_.notify_one();
}

bool Executor::try_post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || queue_.size() >= kMaxQueue) return false;
  queue_.push_back(std::move(work));
  wake_.notify_one();
  return true;
}

void Executor::after(std::chrono::milliseconds delay, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  timers_.emplace(std::chrono::steady_clock::now() + delay, std::move(work));
  wake_.notify_one();
}

void Executor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    timers_.clear();
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Executor::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      queue_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    if (!queue_.empty()) {
      auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      work = nullptr;  // what it captured goes outside the lock
      lock.lock();
      continue;
    }
    if (stopping_) return;
    if (timers_.empty()) {
      wake_.wait(lock);
    } else {
      const auto first = timers_.begin()->first;  // a copy: stop() clears the timers meanwhile
      wake_.wait_until(lock, first);
    }
  }
}

}  // namespace heddle::control
