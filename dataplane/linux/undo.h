#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace heddle::dataplane {

// The way back from a change of several steps. Unless `keep()` is called, the destructor takes the
// steps back, last first, going on past failures.
class Undo final {
 public:
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      // What cannot be taken back is left to the next audit, which finds it.
      [[maybe_unused]] const Result<> ignored = (*step)();
    }
  }

  void add(std::function<Result<>()> step) { steps_.push_back(std::move(step)); }
  void keep() { steps_.clear(); }

 private:
  std::vector<std::function<Result<>()>> steps_;
};

}  // namespace heddle::dataplane
