#pragma once
#include <atomic>
#include <mutex>
#include <thread>

#include "topologies/engine/control/message.h"
#include "topologies/engine/relay/histogram.h"

namespace heddle::labd {

// Notices a machine that has too little CPU for its lab: a thread that sleeps a while, again and
// again, and looks how late it is awake. Threads: one of its own; calls from any.
class Heartbeat final {
 public:
  Heartbeat();
  ~Heartbeat();
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  void add_to(control::Fidelity& fidelity) const;

 private:
  void run();
  mutable std::mutex mutex_;
  relay::Histogram late_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace heddle::labd
