#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle {

// An Ethernet address, in transmission order.
struct Mac {
  std::array<std::uint8_t, 6> bytes{};

  // Accepts six pairs of hexadecimal digits with colons: 02:00:00:00:00:01.
  static Result<Mac> parse(std::string_view text);
  std::string format() const;  // lower case, colons
  bool is_multicast() const { return bytes[0] & 1; }
  friend auto operator<=>(const Mac&, const Mac&) = default;
};

// A VXLAN network identifier (RFC 7348, section 5): 1 to 16777215. 0 means none.
struct Vni {
  std::uint32_t value = 0;
  friend auto operator<=>(const Vni&, const Vni&) = default;
};
inline constexpr std::uint32_t kMaxVni = 0xffffff;

// An interface index of one network namespace (if_nametoindex(3)). 0 means none.
struct IfIndex {
  std::uint32_t value = 0;
  friend auto operator<=>(const IfIndex&, const IfIndex&) = default;
};

inline constexpr std::size_t kMaxIfName = 15;  // IFNAMSIZ - 1

}  // namespace heddle
