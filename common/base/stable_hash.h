#pragma once
#include <cstdint>
#include <string_view>

namespace heddle {

// FNV-1a, 64 bits (draft-eastlake-fnv): the same on every node and in every version, for values
// that are derived from ids and must not move. Not for untrusted keys.
constexpr std::uint64_t stable_hash(std::string_view text,
                                    std::uint64_t seed = 0xcbf29ce484222325) {
  for (const char c : text) {
    seed ^= static_cast<unsigned char>(c);
    seed *= 0x100000001b3;
  }
  return seed;
}

}  // namespace heddle
