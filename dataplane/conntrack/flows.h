#pragma once
#include <cstddef>
#include <utility>

#include "common/base/result.h"
#include "dataplane/conntrack/stale.h"
#include "dataplane/netlink/socket.h"

namespace heddle::conntrack {

// The connections that the kernel tracks in one network namespace.
// Source:  linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.
// Threads: one caller at a time; the namespace of the thread that opened it.
// Errors:  `denied` without CAP_NET_ADMIN; `unsupported` when the kernel lacks ctnetlink.
class Flows final {
 public:
  static Result<Flows> open();

  // Deletes those that `stale` contains, one by one; one that ended meanwhile is no failure.
  // Returns how many. Costs a walk over all connections of the families concerned.
  Result<std::size_t> forget(const Stale& stale);

 private:
  explicit Flows(netlink::Socket socket) : socket_(std::move(socket)) {}
  netlink::Socket socket_;
};

// Whether the kernel can translate this protocol: SCTP is a build option (CONFIG_NF_CT_PROTO_SCTP).
bool translates(dataplane::Protocol protocol);

}  // namespace heddle::conntrack
