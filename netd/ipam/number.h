#pragma once
#include "common/net/ip.h"

// Addresses of both families as numbers, to count and step with.
namespace heddle::ipam {

__extension__ typedef unsigned __int128 U128;

inline U128 number_of(const IpAddr& address) {
  if (address.is_v4()) return address.v4_value();
  U128 number = 0;
  for (const std::uint8_t byte : address.bytes()) number = number << 8 | byte;
  return number;
}

inline IpAddr v6_address(U128 number) {
  std::array<std::uint8_t, 16> bytes{};
  for (auto it = bytes.rbegin(); it != bytes.rend(); ++it, number >>= 8) {
    *it = static_cast<std::uint8_t>(number);
  }
  return IpAddr::v6(bytes);
}

inline int address_bits(const Prefix& prefix) {
  return prefix.is_v4() ? 32 : 128;
}

// The last address of a range; its length may be 0.
inline U128 last_number(const Prefix& prefix) {
  const int host_bits = address_bits(prefix) - prefix.length();
  const U128 ones = host_bits == 128 ? ~U128{0} : (U128{1} << host_bits) - 1;
  return number_of(prefix.address()) + ones;
}

inline IpAddr address_of(U128 number, bool v4) {
  return v4 ? IpAddr::v4(static_cast<std::uint32_t>(number)) : v6_address(number);
}

}  // namespace heddle::ipam
