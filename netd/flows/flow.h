#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace heddle::flows {

// Which flows to read; "" lets everything through.
struct Query {
  std::uint64_t after = 0;           // number of the last that was read; 0: from now on
  std::uint32_t one_of = 1;          // of what goes on, one of so many is recorded
  std::chrono::milliseconds wait{};  // for the first
  std::string workload;              // at either end
  std::string service;               // of calls
  std::string verdict;
  std::string reason;
};

// A decision of this node's programs, in words; what is unknown or has none is "".
struct Flow {
  std::chrono::sys_time<std::chrono::microseconds> at;
  std::string verdict;  // delivered, forwarded, host, dropped; calls: balanced, steered, refused
  std::string reason;   // of dropped and refused
  std::string network;
  std::string protocol;
  std::string from;  // with its port, where there is one
  std::string from_workload;
  std::string to;
  std::string to_workload;
  std::string service;
  std::string backend;      // that a call was brought to
  std::string node;         // that the packet came from or goes to, when another
  std::uint32_t bytes = 0;  // of the packet
  friend bool operator==(const Flow&, const Flow&) = default;
};
struct Page {
  std::vector<Flow> flows;  // oldest first
  std::uint64_t last = 0;   // number of the last that was looked at
  std::uint64_t lost = 0;   // after Query::after, for want of room
};

// Threads: any.
class Source {
 public:
  virtual ~Source() = default;
  // The programs record while somebody reads, and seconds longer.
  // Errors: `invalid` with the filter and what it takes; `unsupported` without eBPF.
  virtual Result<Page> read(Query query, Deadline deadline) = 0;
};

}  // namespace heddle::flows
