#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/http/limits.h"

namespace heddle::http2 {

// What is cheap to send and dear to handle, each with a budget of its own.
#define HEDDLE_HTTP2_FLOODS(X)                                                \
  X(reset, "http2_reset_flood") /* streams that either side resets */         \
  X(ping, "http2_ping_flood")                                                 \
  X(settings, "http2_settings_flood")                                         \
  X(priority, "http2_priority_flood")     /* PRIORITY, PRIORITY_UPDATE */     \
  X(empty_data, "http2_empty_data_flood") /* DATA without bytes or end */     \
  X(window_update, "http2_window_update_flood")                               \
  X(unknown, "http2_unknown_frame_flood") /* of a type that has no meaning */ \
  X(late, "http2_late_frame_flood")       /* for streams that are over */     \
  X(continuation, "http2_continuation_flood")                                 \
  X(header_list, "http2_header_list_flood")

enum class Flood : std::uint8_t {
#define X(name, metric) name,
  HEDDLE_HTTP2_FLOODS(X)
#undef X
};
inline constexpr std::size_t kFloods = 0
#define X(name, metric) +1
    HEDDLE_HTTP2_FLOODS(X)
#undef X
    ;

// So many at once, so many more with each second, and with each piece of real work: a stream that
// ended well for resets, a DATA frame with bytes either way for the rest.
struct Allowance {
  std::uint32_t burst;
  std::uint32_t per_second;
  std::uint32_t earned;
};

// What a peer may cost. Past a limit the stream or the connection ends, with the error code that
// RFC 9113 names, and ENHANCE_YOUR_CALM for floods.
struct Limits {
  http::Limits message;
  std::uint32_t streams = 100;                // at a time, of the peer's making
  std::uint32_t stream_window = 128 << 10;    // bytes that may come before they are used
  std::uint32_t connection_window = 1 << 20;  // the same for all streams together
  std::size_t stream_buffer = 64 << 10;       // bytes of one stream that wait to be sent
  std::size_t continuations = 8;              // frames of one header block
  std::size_t interim_heads = 16;             // 1xx that wait to be read
  std::array<Allowance, kFloods> floods = {{
      {200, 50, 1},   // reset
      {200, 20, 2},   // ping
      {50, 2, 0},     // settings
      {200, 20, 2},   // priority
      {50, 5, 0},     // empty_data
      {500, 50, 10},  // window_update
      {50, 5, 0},     // unknown
      {200, 50, 1},   // late
      {0, 0, 0},      // continuation: by block, see above
      {0, 0, 0},      // header_list: by block, four times what is answered with 431
  }};
};

}  // namespace heddle::http2
