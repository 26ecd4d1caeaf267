#pragma once
#include <linux/rtnetlink.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/netlink/message.h"
#include "dataplane/netlink/socket.h"

// Queueing disciplines, inside this folder. Source: rtnetlink(7), linux/pkt_sched.h.
namespace heddle::netlink {

struct QdiscPlace {
  IfIndex link;
  std::uint32_t parent = 0;  // TC_H_ROOT, or a class
  std::uint32_t handle = 0;
};
tcmsg header_of(const QdiscPlace& place);

// RTM_NEWQDISC that makes or changes the one at `place`; its options are still to come.
Message put_qdisc(const QdiscPlace& place, const char* kind);

struct TokenBucket {
  std::uint64_t rate = 0;   // bytes a second
  std::uint32_t burst = 0;  // bytes
  std::uint32_t limit = 0;  // bytes that wait
};
Message put_token_bucket(const QdiscPlace& place, const TokenBucket& bucket);

// Absence is success, also that another qdisc is there. `what`: for the error.
Result<> remove_qdisc(Socket& socket, const QdiscPlace& place, const std::string& what);

// Whether a refused put says that the kernel does not have the kind.
bool lacks_qdisc(const Error& error);

}  // namespace heddle::netlink
