#pragma once
#include <chrono>
#include <cstdint>

#include "common/base/result.h"
#include "common/net/link.h"
#include "dataplane/netlink/socket.h"

// How packets leave a device that stands for a link: first delayed, then as fast as a rate allows.
// Its root qdisc, told from others' by its handle: netem with a token bucket below it, or one of
// them. Source: tc-netem(8), tc-tbf(8), linux/pkt_sched.h.
namespace heddle::netlink {

struct Shape {
  std::chrono::microseconds delay{0};  // by netem: each packet so much, none overtakes
  std::uint64_t rate = 0;              // bits a second, of frames with their headers; 0: no limit
  std::uint32_t mtu = 1500;            // bytes
  std::uint32_t limit = 1000;          // packets that wait for `rate`, and for `delay`
  friend bool operator==(const Shape&, const Shape&) = default;
};

// Replaces whatever root qdisc there is; nothing to delay or limit: takes it away. Packets that
// wait for a rate which only changes go on waiting.
// Errors: `unsupported` without sch_tbf or sch_netem, whichever is needed.
Result<> put_shape(Socket& socket, IfIndex link, const Shape& shape);

// Which of them this kernel has, found by trying on a device whose qdisc is nobody's concern.
enum class Qdisc { tbf, netem };
Result<bool> has_qdisc(Socket& socket, IfIndex scratch, Qdisc qdisc);

}  // namespace heddle::netlink
