#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "topologies/engine/relay/histogram.h"
#include "topologies/engine/relay/ring.h"
#include "topologies/engine/relay/schedule.h"

namespace heddle::relay {

// What the relay did since it started. Lateness: from when a packet should have left to when the
// kernel had taken it.
struct Report {
  Histogram late;
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;  // by the device: it is down, gone, or its queue is full
  bool realtime = false;      // SCHED_FIFO was permitted
};

// Fetches packets from a ring, keeps each for its delay and sends it out by its device. Frames keep
// their boundaries and tags.
// Threads: one of its own, which ends with the object; calls from any.
class Relay final {
 public:
  // `netns_fd`: the namespace of the devices, borrowed for the call. `wakes_at`: the variable that
  // the program beside the ring reads (ebpf/wire.bpf.c); it outlives the relay.
  struct Source {
    int ring_fd = -1;  // borrowed for the call
    std::uint64_t* wakes_at = nullptr;
  };
  static Result<std::unique_ptr<Relay>> start(int netns_fd, Source source);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void put(std::uint32_t from, const Schedule::Direction& direction);
  void remove(std::uint32_t from);

  Report report() const;
  Schedule::Counts counts(std::uint32_t from) const;

 private:
  Relay(Ring ring, UniqueFd sender, UniqueFd stop, std::uint64_t* wakes_at);
  void run();
  void fetch();
  void send_due();
  void send(std::vector<Schedule::Due>& due);
  void sleep();

  Ring ring_;
  UniqueFd sender_;  // a packet socket in the devices' namespace
  UniqueFd stop_;    // an eventfd
  std::atomic_ref<std::uint64_t> wakes_at_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;  // of the schedule and the report
  Schedule schedule_;
  Report report_;

  std::vector<Schedule::Due> due_;  // the thread's own
  std::thread thread_;
};

}  // namespace heddle::relay
