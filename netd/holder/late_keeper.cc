#include "netd/holder/late_keeper.h"

#include <utility>

#include "common/observe/log.h"

namespace heddle::holder {

LateKeeper::LateKeeper(Keeper& keeper) : keeper_(keeper), thread_([this] { run(); }) {}

LateKeeper::~LateKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void LateKeeper::put(std::string name, UniqueFd fd) {
  add({std::move(name), std::move(fd)});
}

void LateKeeper::drop(std::string name) {
  add({std::move(name), std::nullopt});
}

void LateKeeper::add(Request request) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() < kMostWaiting; });
    waiting_.push_back(std::move(request));
  }
  changed_.notify_all();
}

void LateKeeper::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty(); });
}

void LateKeeper::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;         // stopping
    Request& request = waiting_.front();  // others only add behind it
    lock.unlock();
    const auto done =
        request.fd ? keeper_.put(request.name, request.fd->get()) : keeper_.drop(request.name);
    if (!done) log_warn("keeper.failed", {{"name", request.name}, {"error", done.error()}});
    request.fd.reset();
    lock.lock();
    waiting_.pop_front();
    changed_.notify_all();
  }
}

}  // namespace heddle::holder
