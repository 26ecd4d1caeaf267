#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "topologies/engine/control/message.h"

namespace heddle::labd {

// What has happened to a lab: the last kMaxEvents, numbered from 1. Threads: any.
class EventLog final {
 public:
  static constexpr std::size_t kMaxEvents = 4096;
  static constexpr std::size_t kMaxText = 2000;  // bytes of one event's text; the rest is cut

  void add(std::string kind, std::string subject, std::string text);

  // The events after `number`, oldest first and at most kBatch; waits for one until the deadline or
  // until nobody waits any more. A number of another deploy, beyond the last, counts as none.
  static constexpr std::size_t kBatch = 1000;
  std::vector<control::Event> after(std::uint64_t number, Deadline deadline,
                                    const std::function<bool()>& gone);

 private:
  std::vector<control::Event> copy(std::uint64_t number) const;

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<control::Event> events_;
  std::uint64_t last_ = 0;
};

}  // namespace heddle::labd
