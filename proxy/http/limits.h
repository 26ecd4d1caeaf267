#pragma once
#include <cstddef>

namespace heddle::http {

// What one message may cost. Past a limit the message is refused, with the status that names it.
struct Limits {
  std::size_t head_bytes = 64 * 1024;         // start line and fields: 431
  std::size_t field_count = 100;              // 431
  std::size_t target_bytes = 8 * 1024;        // 414
  std::size_t chunk_extension_bytes = 16384;  // in all chunks of a body: 400
  std::size_t trailer_bytes = 8 * 1024;       // 400
};

}  // namespace heddle::http
