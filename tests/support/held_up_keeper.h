#pragma once
#include <fcntl.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "netd/holder/keeper.h"

namespace heddle::testing_support {

// Keeps duplicates, as the holder does; while it is held up nothing reaches it.
class HeldUpKeeper final : public holder::Keeper {
 public:
  Result<> put(const std::string& name, int fd) override {
    std::unique_lock lock(mutex_);
    let_go_.wait(lock, [&] { return !held_up_; });
    kept_[name] = UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    return {};
  }
  Result<> drop(const std::string& name) override {
    std::unique_lock lock(mutex_);
    let_go_.wait(lock, [&] { return !held_up_; });
    kept_.erase(name);
    return {};
  }
  Result<std::map<std::string, UniqueFd>> take_all() override {
    const std::lock_guard lock(mutex_);
    std::map<std::string, UniqueFd> all;
    for (const auto& [name, fd] : kept_) {
      all[name] = UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    }
    return all;
  }
  Result<> shut() override { return {}; }

  void hold_up(bool up) {
    const std::lock_guard lock(mutex_);
    held_up_ = up;
    let_go_.notify_all();
  }
  std::vector<std::string> names() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [name, fd] : kept_) all.push_back(name);
    return all;
  }

 private:
  std::mutex mutex_;
  std::condition_variable let_go_;
  bool held_up_ = false;
  std::map<std::string, UniqueFd> kept_;
};

}  // namespace heddle::testing_support
