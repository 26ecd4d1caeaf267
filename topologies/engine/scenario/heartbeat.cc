#include "topologies/engine/scenario/heartbeat.h"

namespace heddle::scenario {

using namespace std::chrono_literals;

Heartbeat::Heartbeat() : thread_([this] { beat(); }) {}

Heartbeat::~Heartbeat() {
  stopping_ = true;
  thread_.join();
}

void Heartbeat::beat() {
  constexpr auto kPeriod = 10ms;
  while (!stopping_) {
    const auto due = std::chrono::steady_clock::now() + kPeriod;
    std::this_thread::sleep_until(due);
    const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::steady_clock::now() - due)
                          .count();
    std::int64_t worst = worst_ms_;
    while (late > worst && !worst_ms_.compare_exchange_weak(worst, late)) {
    }
  }
}

std::chrono::milliseconds Heartbeat::take_worst() {
  return std::chrono::milliseconds(worst_ms_.exchange(0));
}

}  // namespace heddle::scenario
