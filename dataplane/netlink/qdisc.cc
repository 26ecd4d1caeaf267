#include "dataplane/netlink/qdisc.h"

#include <linux/pkt_sched.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace heddle::netlink {

tcmsg header_of(const QdiscPlace& place) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = static_cast<int>(place.link.value);
  header.tcm_parent = place.parent;
  header.tcm_handle = place.handle;
  return header;
}

Message put_qdisc(const QdiscPlace& place, const char* kind) {
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
  message.header(header_of(place)).text(TCA_KIND, kind);
  return message;
}

Message put_token_bucket(const QdiscPlace& place, const TokenBucket& bucket) {
  constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
  tc_tbf_qopt values{};
  values.rate.rate = static_cast<std::uint32_t>(std::min(bucket.rate, kMost32));
  values.rate.linklayer = TC_LINKLAYER_ETHERNET;
  values.limit = bucket.limit;
  Message message = put_qdisc(place, "tbf");
  {
    const Message::Nest options(message, TCA_OPTIONS);
    message.bytes(TCA_TBF_PARMS, &values, sizeof values).u32(TCA_TBF_BURST, bucket.burst);
    if (bucket.rate > kMost32) message.u64(TCA_TBF_RATE64, bucket.rate);
  }
  return message;
}

Result<> remove_qdisc(Socket& socket, const QdiscPlace& place, const std::string& what) {
  Message message(RTM_DELQDISC, 0);
  message.header(header_of(place));
  auto removed = socket.request(message, what);
  // ENOENT: another qdisc is there; EINVAL: none that can be deleted.
  if (removed || removed.error().code() == Errc::not_found || removed.error().sys_errno() == EINVAL)
    return {};
  return removed;
}

bool lacks_qdisc(const Error& error) {
  return error.sys_errno() == ENOENT || error.code() == Errc::unsupported;
}

}  // namespace heddle::netlink
