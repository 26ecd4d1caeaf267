#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"
#include "common/net/link.h"

namespace heddle::bpf {

// The enum heddle_flow_verdict, in its order.
enum class FlowVerdict : std::uint8_t {
  delivered,
  forwarded,
  host,
  dropped,
  balanced,
  steered,
  refused,
};

// One decision of a program: of a packet, or of a call.
struct FlowEvent {
  std::chrono::nanoseconds at{};  // CLOCK_MONOTONIC
  FlowVerdict verdict = FlowVerdict::delivered;
  std::string reason;           // of what was dropped or refused: no_endpoint
  std::uint64_t netns = 0;      // calls: cookie of the caller's namespace
  Vni vni;                      // packets; 0: unknown
  std::uint32_t bytes = 0;      // packets
  std::uint16_t ethertype = 0;  // packets
  std::uint8_t protocol = 0;    // IPPROTO_*; of IPv4 and calls
  SocketAddr from;              // packets
  SocketAddr to;                // of calls what was asked for
  SocketAddr actual;            // calls: what it was brought to
  IpAddr node;                  // packets: data address of the other node; unspecified: none
  friend bool operator==(const FlowEvent&, const FlowEvent&) = default;
};

// What the programs tell while somebody watches.
// Threads: one caller at a time, whichever; beside those of Programs, which outlives this.
class FlowRing {
 public:
  virtual ~FlowRing() = default;

  // From now on and for so long, everything that is refused and one of `one_of` (at least 1) that
  // go on is told. Again: prolongs.
  virtual Result<> watch(std::uint32_t one_of, std::chrono::milliseconds time) = 0;

  // What was told since, oldest first; waits for the first.
  virtual Result<std::vector<FlowEvent>> take(std::chrono::milliseconds patience) = 0;

  // How many found no room, since the programs were loaded; wraps.
  virtual Result<std::uint32_t> lost() = 0;
};

}  // namespace heddle::bpf
