#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "common/base/result.h"
#include "dataplane/bpf/flow_ring.h"

namespace heddle::flows {

// The latest that the programs told, numbered, for any number of readers; whoever reads fetches for
// all. Numbers without an event are what was lost.
// Threads: any; a reader may wait for another's patience.
class FlowLog final {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMost = 8192;                 // kept for slower readers
  static constexpr std::chrono::milliseconds kWatch{5'000};  // programs tell so long after a read

  // Borrowed; null: `unsupported`.
  explicit FlowLog(bpf::FlowRing* ring) : ring_(ring) {}

  struct Page {
    std::vector<bpf::FlowEvent> events;
    std::uint64_t last = 0;
    std::uint64_t lost = 0;
  };
  // Those after number `after`; 0 or a number that is not given yet: from now on. Waits for the
  // first.
  Result<Page> read(std::uint64_t after, std::uint32_t one_of, std::chrono::milliseconds patience);

 private:
  struct Entry {
    std::uint64_t number;
    bpf::FlowEvent event;
  };
  Result<> watch(std::uint32_t one_of);
  Result<> fetch(std::chrono::milliseconds patience);

  std::mutex mutex_;
  bpf::FlowRing* const ring_;
  std::deque<Entry> entries_;
  std::uint64_t last_ = 1;  // number of the latest, lost ones too; 0 is nobody's
  std::uint32_t lost_ = 0;  // as the ring counted when it was last asked
  bool counted_ = false;    // that it was
  std::map<std::uint32_t, Clock::time_point> asked_;  // one_of, and when last
};

}  // namespace heddle::flows
