#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "proxy/snapshot/config.h"

// The only place that knows the wire form (netd/api/proxy.proto).
namespace heddle::snapshot {

// A message is accepted whole or not at all.
struct Decoded {
  std::uint64_t revision = 0;  // of a Snapshot, also of one that is refused; else 0
  Result<ConfigMessage> message;
};
// Errors: `invalid`, naming the listener, rule, group or target and what is wrong with it.
Decoded decode(std::string_view bytes);

std::string encode_hello(std::string_view proxy_id, std::string_view version);
std::string encode_resolve(const SocketAddr& destination);
std::string encode_release(std::string_view group);
std::string encode_ack(std::uint64_t revision, std::string_view error);

}  // namespace heddle::snapshot
