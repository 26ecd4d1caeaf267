#include "common/net/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "common/base/check.h"

namespace heddle {
namespace {

Result<int> parse_number(std::string_view text, int max) {
  int value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || value < 0 || value > max ||
      (text.size() > 1 && text[0] == '0')) {
    return fail(Errc::invalid,
                "'" + std::string(text) + "' is not a number from 0 to " + std::to_string(max));
  }
  return value;
}

int bits_of(const IpAddr& address) {
  return address.is_v4() ? 32 : 128;
}

IpAddr masked(const IpAddr& address, int length) {
  auto bytes = address.bytes();
  for (int i = 0; i < 16; ++i) {
    const int keep = std::clamp(length - i * 8, 0, 8);
    bytes[i] &= static_cast<std::uint8_t>(0xff00 >> keep);
  }
  if (!address.is_v4()) return IpAddr::v6(bytes);
  std::uint32_t be;
  std::memcpy(&be, bytes.data(), 4);
  return IpAddr::v4(ntohl(be));
}

Result<std::pair<IpAddr, int>> parse_with_length(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail(Errc::invalid,
                "'" + std::string(text) + "' has no prefix length; write it as 10.40.0.0/20");
  }
  TRY(const IpAddr address, IpAddr::parse(text.substr(0, slash)));
  TRY(const int length, parse_number(text.substr(slash + 1), bits_of(address))
                            .during("prefix length of '" + std::string(text) + "'"));
  return std::pair(address, length);
}

}  // namespace

IpAddr IpAddr::v4(std::uint32_t host_order) {
  IpAddr result;
  const std::uint32_t be = htonl(host_order);
  std::memcpy(result.bytes_.data(), &be, 4);
  return result;
}

IpAddr IpAddr::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddr result;
  result.bytes_ = bytes;
  result.v4_ = false;
  return result;
}

Result<IpAddr> IpAddr::parse(std::string_view text) {
  const std::string copy(text);
  IpAddr result;
  // inet_pton refuses leading zeros, short quads and zones, as we want; an embedded NUL it cannot
  // see, so the length is compared.
  if (std::strlen(copy.c_str()) == text.size()) {
    if (::inet_pton(AF_INET, copy.c_str(), result.bytes_.data()) == 1) return result;
    if (::inet_pton(AF_INET6, copy.c_str(), result.bytes_.data()) == 1) {
      result.v4_ = false;
      return result;
    }
  }
  return fail(Errc::invalid, "'" + copy + "' is not an IP address");
}

std::string IpAddr::format() const {
  char buffer[INET6_ADDRSTRLEN];
  CHECK(::inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer) != nullptr);
  return buffer;
}

std::uint32_t IpAddr::v4_be() const {
  CHECK(v4_);
  std::uint32_t be;
  std::memcpy(&be, bytes_.data(), 4);
  return be;
}

std::uint32_t IpAddr::v4_value() const {
  return ntohl(v4_be());
}

IpAddr IpAddr::unmapped() const {
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (v4_ || std::memcmp(bytes_.data(), kMapped.data(), kMapped.size()) != 0) return *this;
  std::uint32_t be;
  std::memcpy(&be, bytes_.data() + 12, 4);
  return v4(ntohl(be));
}

bool IpAddr::is_loopback() const {
  if (v4_) return bytes_[0] == 127;
  static constexpr std::array<std::uint8_t, 16> kOne{0, 0, 0, 0, 0, 0, 0, 0,
                                                     0, 0, 0, 0, 0, 0, 0, 1};
  return bytes_ == kOne;
}

bool IpAddr::is_multicast() const {
  return v4_ ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddr::is_unspecified() const {
  return bytes_ == std::array<std::uint8_t, 16>{};
}

Result<Prefix> Prefix::make(IpAddr address, int length) {
  if (length < 0 || length > bits_of(address)) {
    return fail(Errc::invalid,
                "prefix length " + std::to_string(length) + " does not fit " + address.format());
  }
  Prefix result;
  result.address_ = masked(address, length);
  result.length_ = length;
  if (result.address_ != address) {
    return fail(Errc::invalid, address.format() + "/" + std::to_string(length) +
                                   " has host bits set; the range is " + result.format());
  }
  return result;
}

Result<Prefix> Prefix::parse(std::string_view text) {
  TRY(const auto parts, parse_with_length(text));
  return make(parts.first, parts.second);
}

Prefix Prefix::containing(IpAddr address, int length) {
  CHECK(length >= 0 && length <= bits_of(address));
  Prefix result;
  result.address_ = masked(address, length);
  result.length_ = length;
  return result;
}

std::string Prefix::format() const {
  return address_.format() + "/" + std::to_string(length_);
}

bool Prefix::contains(const IpAddr& address) const {
  return address.is_v4() == is_v4() && masked(address, length_) == address_;
}

bool Prefix::contains(const Prefix& other) const {
  return other.length_ >= length_ && contains(other.address_);
}

bool Prefix::overlaps(const Prefix& other) const {
  return contains(other) || other.contains(*this);
}

std::uint64_t Prefix::size() const {
  CHECK(is_v4());
  return std::uint64_t{1} << (32 - length_);
}

IpAddr Prefix::at(std::uint64_t offset) const {
  CHECK(offset < size());
  return IpAddr::v4(address_.v4_value() + static_cast<std::uint32_t>(offset));
}

Result<IfAddr> IfAddr::parse(std::string_view text) {
  TRY(const auto parts, parse_with_length(text));
  return IfAddr{parts.first, parts.second};
}

std::string IfAddr::format() const {
  return address.format() + "/" + std::to_string(length);
}

Result<SocketAddr> SocketAddr::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(Errc::invalid, "'" + std::string(text) + "' is not ADDRESS:PORT");
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  TRY(const IpAddr address, IpAddr::parse(host));
  if (address.is_v4() == bracketed) {
    return fail(Errc::invalid,
                "'" + std::string(text) + "': IPv6 takes brackets, [::1]:80, and IPv4 none");
  }
  TRY(const int port,
      parse_number(text.substr(colon + 1), 65535).during("port of '" + std::string(text) + "'"));
  return SocketAddr{address, static_cast<std::uint16_t>(port)};
}

std::string SocketAddr::format() const {
  const std::string host = address.is_v4() ? address.format() : "[" + address.format() + "]";
  return host + ":" + std::to_string(port);
}

}  // namespace heddle
