#pragma once
#include "netd/dns/message.h"
#include "netd/dns/zone.h"

namespace heddle::dns {

enum class Transport { udp, tcp };

struct Answer {
  enum class Kind {
    reply,    // send `bytes`
    forward,  // somebody else's name: ask its upstreams
    drop,     // not a query
  };
  Kind kind = Kind::drop;
  Bytes bytes;
  Query query = {};  // of `forward`
};

// How long answers may be kept: backends come and go within seconds.
inline constexpr std::uint32_t kTtlSeconds = 2;

// What a workload with this zone is told. Pure. `query` is untrusted.
Answer answer(const Zone& zone, ByteView query, Transport transport);

}  // namespace heddle::dns
