#include "proxy/listener/request_id.h"

#include <cstdint>

namespace heddle::listener {

std::string make_request_id(balance::Random& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out(32, '0');
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random.next();
    for (int i = 0; i < 16; ++i, bits >>= 4) {
      out[static_cast<std::size_t>(half * 16 + i)] = kHex[bits & 15];
    }
  }
  return out;
}

}  // namespace heddle::listener
