#pragma once
#include <functional>
#include <mutex>
#include <vector>

#include "topologies/engine/steps/runner.h"

namespace heddle::steps {

// A lab whose time moves only by pauses, and whose commands print what the test says.
class FakeLab final : public LabControl {
 public:
  std::function<Result<control::Reply>(const control::Request&)> answer =
      [](const control::Request&) { return control::Reply{}; };
  std::vector<control::Request> asked;
  std::function<void()> paused = [] {};  // after each pause

  Result<control::Reply> ask(const control::Request& request) override {
    const std::lock_guard lock(mutex_);
    asked.push_back(request);
    return answer(request);
  }
  std::chrono::steady_clock::time_point now() override { return now_; }
  void pause(std::chrono::milliseconds time) override {
    now_ += time;
    paused();
  }

  std::vector<control::Op> ops() const {
    std::vector<control::Op> out;
    for (const control::Request& request : asked) out.push_back(request.op);
    return out;
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
};

inline control::Reply prints(const std::string& text, int exit = 0) {
  control::Reply reply;
  reply.result = control::ExecResult{};
  reply.result->out = text;
  reply.result->exit = exit;
  return reply;
}

}  // namespace heddle::steps
