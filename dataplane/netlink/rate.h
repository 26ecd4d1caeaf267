#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/net/link.h"
#include "dataplane/netlink/socket.h"

// A limit on what a device sends: a token bucket as its root qdisc, told from others' by its
// handle. Source: tc-tbf(8), linux/pkt_sched.h. GSO packets count as the frames that they become;
// those longer than the bucket are cut by the kernel.
namespace heddle::netlink {

struct Rate {
  std::uint64_t bits = 0;    // a second, of Ethernet frames with their headers; at least 8
  std::uint32_t mtu = 1500;  // bytes, of the device
};

// Replaces whatever root qdisc there is. Cheap while the device is down; else a grace period.
// Errors: `unsupported` without sch_tbf.
Result<> put_rate(Socket& socket, IfIndex link, const Rate& rate);

// Takes ours away. Absence is success.
Result<> remove_rate(Socket& socket, IfIndex link);

// A link's limit as it is there.
struct SeenRate {
  IfIndex link;
  std::uint64_t bits = 0;  // rounded down to whole bytes
  std::uint32_t burst_ticks = 0;
  std::uint32_t limit_bytes = 0;
  bool is(const Rate& rate) const;  // the rate and what put_rate makes of it
};
Result<std::vector<SeenRate>> rates(Socket& socket);  // of all links
Result<std::optional<SeenRate>> rate_of(Socket& socket, IfIndex link);

}  // namespace heddle::netlink
