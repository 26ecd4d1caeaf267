#include "topologies/labd/heartbeat.h"

#include <chrono>

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kBeat = 20ms;

}  // namespace

Heartbeat::Heartbeat() : thread_([this] { run(); }) {}

Heartbeat::~Heartbeat() {
  stopping_ = true;
  thread_.join();
}

void Heartbeat::run() {
  while (!stopping_) {
    const auto due = Clock::now() + kBeat;
    std::this_thread::sleep_until(due);
    const auto late = Clock::now() - due;
    const std::lock_guard lock(mutex_);
    late_.add(late);
  }
}

void Heartbeat::add_to(control::Fidelity& fidelity) const {
  const std::lock_guard lock(mutex_);
  fidelity.starved_p99 = std::chrono::ceil<std::chrono::microseconds>(late_.quantile(0.99));
  fidelity.starved_max = std::chrono::ceil<std::chrono::microseconds>(late_.max());
}

}  // namespace heddle::labd
