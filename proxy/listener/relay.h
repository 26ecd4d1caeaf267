#pragma once
#include <chrono>
#include <cstdint>

#include "proxy/io/read_buffer.h"
#include "proxy/io/stream.h"

namespace heddle::listener {

struct RelayEnd {
  io::Stream& stream;
  io::ReadBuffer& in;  // what was received before is sent first
};
struct RelayCount {
  std::uint64_t from_client = 0;
  std::uint64_t from_target = 0;
};

// Copies both ways until both sides have closed, one fails, or nothing moves for `idle`. A side
// that closes only its sending half gets the rest of the other's bytes.
Task<RelayCount> relay(RelayEnd client, RelayEnd target, std::chrono::milliseconds idle);

}  // namespace heddle::listener
