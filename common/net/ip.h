#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle {

// An IPv4 or IPv6 address. A v4-mapped IPv6 address stays IPv6 until `unmapped()`.
// Order: IPv4 before IPv6, then numerically.
class IpAddr {
 public:
  IpAddr() = default;  // 0.0.0.0
  static IpAddr v4(std::uint32_t host_order);
  static IpAddr v6(const std::array<std::uint8_t, 16>& bytes);

  // Accepts dotted quads without leading zeros and RFC 4291 text; no zone, no prefix length.
  static Result<IpAddr> parse(std::string_view text);
  std::string format() const;  // RFC 5952 for IPv6

  bool is_v4() const { return v4_; }
  std::uint32_t v4_value() const;  // host order; CHECKs is_v4()
  std::uint32_t v4_be() const;     // network order; CHECKs is_v4()
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }  // v4 in the first 4
  IpAddr unmapped() const;                                              // ::ffff:a.b.c.d -> a.b.c.d
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_unspecified() const;

  friend auto operator<=>(const IpAddr& a, const IpAddr& b) {
    if (a.v4_ != b.v4_) return a.v4_ ? std::strong_ordering::less : std::strong_ordering::greater;
    return a.bytes_ <=> b.bytes_;
  }
  friend bool operator==(const IpAddr&, const IpAddr&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v4_ = true;
};

// An address range with its length: 10.32.0.0/20. Host bits are zero.
class Prefix {
 public:
  Prefix() = default;  // 0.0.0.0/0
  // Errors: `invalid` if the length does not fit the family or host bits are set.
  static Result<Prefix> make(IpAddr address, int length);
  static Result<Prefix> parse(std::string_view text);
  static Prefix containing(IpAddr address, int length);  // clears the host bits; CHECKs length
  std::string format() const;

  const IpAddr& address() const { return address_; }
  int length() const { return length_; }
  bool is_v4() const { return address_.is_v4(); }
  bool contains(const IpAddr& address) const;
  bool contains(const Prefix& other) const;
  bool overlaps(const Prefix& other) const;

  // IPv4 only (CHECKed): how many addresses, and the n-th from the start.
  std::uint64_t size() const;
  IpAddr at(std::uint64_t offset) const;

  friend auto operator<=>(const Prefix&, const Prefix&) = default;

 private:
  IpAddr address_;
  int length_ = 0;
};

// An address on an interface: 10.32.0.5/20. Host bits are kept.
struct IfAddr {
  IpAddr address;
  int length = 0;

  static Result<IfAddr> parse(std::string_view text);
  std::string format() const;
  Prefix prefix() const { return Prefix::containing(address, length); }
  friend auto operator<=>(const IfAddr&, const IfAddr&) = default;
};

// An address and a port, `10.0.0.1:80` or `[::1]:80`. Port in host order.
struct SocketAddr {
  IpAddr address;
  std::uint16_t port = 0;

  static Result<SocketAddr> parse(std::string_view text);
  std::string format() const;
  friend auto operator<=>(const SocketAddr&, const SocketAddr&) = default;
};

}  // namespace heddle
