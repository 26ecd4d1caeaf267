#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "common/net/ip.h"
#include "common/net/link.h"

// Ethernet frames as bytes, built and read back. Checksums are right unless a test spoils them.
namespace heddle::testing {

using Bytes = std::vector<std::uint8_t>;

struct Udp {
  Mac from_mac;
  Mac to_mac;
  IpAddr from;
  IpAddr to;
  std::uint16_t from_port = 1000;
  std::uint16_t to_port = 2000;
  Bytes payload;
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  std::uint16_t fragment = 0;  // flags and offset
  bool checksum = true;        // of UDP; false: 0
};
Bytes udp_frame(const Udp& udp);

struct Arp {
  Mac from_mac;
  Mac to_mac;                   // of the Ethernet header
  std::uint16_t operation = 1;  // request
  Mac sender_mac;
  IpAddr sender;
  Mac target_mac;
  IpAddr target;
};
Bytes arp_frame(const Arp& arp);

// The VXLAN header (RFC 7348) with flags 0x08, before `inner`.
Bytes vxlan(std::uint32_t vni, std::span<const std::uint8_t> inner);

Mac mac_at(std::span<const std::uint8_t> frame, std::size_t offset);
IpAddr v4_at(std::span<const std::uint8_t> frame, std::size_t offset);
std::uint16_t u16_at(std::span<const std::uint8_t> frame, std::size_t offset);

// Whether the IPv4 header checksum at `offset` is right, and the UDP one of the packet (0 counts).
bool ipv4_checksum_right(std::span<const std::uint8_t> frame, std::size_t offset = 14);
bool udp_checksum_right(std::span<const std::uint8_t> frame, std::size_t offset = 14);

}  // namespace heddle::testing
