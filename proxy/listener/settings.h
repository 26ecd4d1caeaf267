#pragma once
#include <chrono>
#include <cstddef>

#include "proxy/http/limits.h"
#include "proxy/http2/limits.h"

namespace heddle::listener {

// What a client may cost. A listener's configuration may replace the first two.
struct Settings {
  http::Limits limits;
  http2::Limits http2;  // of a client's connection
  http2::Limits http2_upstream{.connection_window = 16 << 20};
  std::chrono::milliseconds idle_timeout{60'000};    // between requests; a blocked write
  std::chrono::milliseconds header_timeout{10'000};  // from a head's first byte to its last
  std::chrono::milliseconds body_idle{30'000};       // without a byte of a body
  std::chrono::milliseconds body_grace{30'000};      // then a body must come at `body_rate`
  std::size_t body_rate = 256;                       // bytes per second
  std::chrono::milliseconds tunnel_idle{3'600'000};  // relayed TCP, WebSocket
  std::chrono::milliseconds detect_wait{50};         // for first bytes that name the protocol
  std::chrono::milliseconds resolve_wait{1'000};     // for heddled's answer about a destination
  std::chrono::milliseconds linger{2'000};           // reading on after a refusal
  std::chrono::milliseconds drain{10'000};           // for requests under way at the end
  std::chrono::milliseconds drain_quiet{2'000};      // then for a request that is on its way to us
  std::size_t max_connections = 10'000;              // per core
  int max_attempts = 3;
};

}  // namespace heddle::listener
