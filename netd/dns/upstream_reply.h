#pragma once
#include <optional>

#include "netd/dns/message.h"

namespace heddle::dns {

// What an upstream said, in the form in which it is given to everybody who asks the same. A value.
// Untrusted bytes come in here: no count or length of theirs is believed.
// Source: RFC 1035, RFC 2308 (how long a denial holds), RFC 2181, section 8 (TTLs), RFC 6891.
struct UpstreamReply {
  Bytes bytes;                      // without the OPT record, which is between it and us
  std::vector<std::uint16_t> ttls;  // where in `bytes` the records' TTLs are
  std::size_t question_size = 0;
  std::uint16_t rcode = 0;  // with the bits of the OPT record
  bool truncated = false;   // `bytes` is the header and the question
  // For how many seconds it may be given again; 0: not at all.
  std::uint32_t lifetime = 0;

  bool is(Rcode wanted) const { return rcode == static_cast<std::uint16_t>(wanted); }
};

// The longest that is believed, whatever the records say.
struct Lifetimes {
  std::uint32_t positive = 3600;
  std::uint32_t negative = 300;
};

// `reply` matched `sent`. Nothing when it is no message. What follows the OPT record is left out.
std::optional<UpstreamReply> parse_reply(ByteView sent, ByteView reply, Lifetimes longest);

// For the asker of `message`, from which `query` was parsed, `age` seconds after it was received.
// What exceeds `limit` becomes a truncated reply without records.
Bytes render(const UpstreamReply& reply, ByteView message, const Query& query, std::uint32_t age,
             std::size_t limit);

}  // namespace heddle::dns
