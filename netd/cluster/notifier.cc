#include "netd/cluster/notifier.h"

namespace heddle::cluster {

Notifier::Notifier(Cluster::Events events)
    : events_(std::move(events)), thread_([this] { run(); }) {}

Notifier::~Notifier() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

void Notifier::state(SwarmState state) {
  const std::lock_guard lock(mutex_);
  state_ = std::move(state);
  wake_.notify_all();
}

void Notifier::session(bool up) {
  const std::lock_guard lock(mutex_);
  session_ = up;
  wake_.notify_all();
}

void Notifier::refused(model::Id endpoint, Error error) {
  const std::lock_guard lock(mutex_);
  if (refused_.size() >= kMaxRefusals) return;
  refused_.emplace_back(std::move(endpoint), std::move(error));
  wake_.notify_all();
}

void Notifier::save_soon(std::function<void()> save) {
  const std::lock_guard lock(mutex_);
  save_ = std::move(save);
  wake_.notify_all();
}

void Notifier::clear() {
  std::unique_lock lock(mutex_);
  state_.reset();
  session_.reset();
  refused_.clear();
  save_ = nullptr;
  if (std::this_thread::get_id() == thread_.get_id()) return;
  wake_.wait(lock, [&] { return !calling_; });
}

// Calls what is due, unlocked. False when nothing is.
bool Notifier::call_one(std::unique_lock<std::mutex>& lock) {
  std::function<void()> call;
  if (state_) {
    call = [this, state = std::exchange(state_, std::nullopt)]() mutable {
      if (events_.on_state) events_.on_state(std::move(*state));
    };
  } else if (session_) {
    call = [this, up = *std::exchange(session_, std::nullopt)] {
      if (events_.on_session) events_.on_session(up);
    };
  } else if (!refused_.empty()) {
    call = [this, each = std::move(refused_.front())] {
      if (events_.on_refused) events_.on_refused(each.first, each.second);
    };
    refused_.pop_front();
  } else if (save_ && std::chrono::steady_clock::now() >= next_save_) {
    call = std::exchange(save_, nullptr);
    next_save_ = std::chrono::steady_clock::now() + kSaveEvery;
  } else {
    return false;
  }
  calling_ = true;
  lock.unlock();
  call();
  call = nullptr;
  lock.lock();
  calling_ = false;
  wake_.notify_all();
  return true;
}

void Notifier::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (call_one(lock)) continue;
    if (save_) {
      wake_.wait_until(lock, next_save_);
    } else {
      wake_.wait(lock);
    }
  }
}

}  // namespace heddle::cluster
