#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// Blocks of a pcapng file, in this machine's byte order, times in nanoseconds. Pure.
// Source: draft-ietf-opsawg-pcapng, sections 3 and 4; https://www.tcpdump.org/linktypes.html
namespace heddle::capture {

inline constexpr std::uint16_t kLinkEthernet = 1;
inline constexpr std::uint16_t kLinkRaw = 101;  // IPv4 or IPv6 without a link header

struct Interface {
  std::string name;  // as the lab has it: h1:eth0
  std::uint16_t link_type = kLinkEthernet;
  std::uint32_t snaplen = 0;
};

enum class Direction { unknown = 0, inbound = 1, outbound = 2 };  // epb_flags
struct Packet {
  std::uint64_t time_ns = 0;  // since 1970
  Direction direction = Direction::unknown;
  std::uint32_t length = 0;  // on the link; `bytes` may be fewer
  std::span<const std::uint8_t> bytes;
};

struct Totals {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  // by the kernel, for want of room
};

// What a file starts with: a section, and its one interface.
std::string format_header(const Interface& interface);
void append_packet(std::string& out, const Packet& packet);
// What it may end with.
std::string format_totals(const Totals& totals);

}  // namespace heddle::capture
