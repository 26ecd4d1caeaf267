#include "tests/bpf/support/frame.h"

#include <algorithm>

namespace heddle::testing {
namespace {

void put_u16(Bytes& bytes, std::uint16_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}
void put_mac(Bytes& bytes, const Mac& mac) {
  bytes.insert(bytes.end(), mac.bytes.begin(), mac.bytes.end());
}
void put_v4(Bytes& bytes, const IpAddr& address) {
  bytes.insert(bytes.end(), address.bytes().begin(), address.bytes().begin() + 4);
}
void put_ethernet(Bytes& bytes, const Mac& to, const Mac& from, std::uint16_t type) {
  put_mac(bytes, to);
  put_mac(bytes, from);
  put_u16(bytes, type);
}

// RFC 1071, not complemented.
std::uint32_t sum_of(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}
void set_u16(Bytes& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

std::uint32_t udp_sum(std::span<const std::uint8_t> ip) {
  const std::span<const std::uint8_t> udp = ip.subspan(20);
  const std::uint32_t pseudo =
      sum_of(ip.subspan(12, 8), 17 + static_cast<std::uint32_t>(udp.size()));
  return sum_of(udp, pseudo);
}

}  // namespace

Bytes udp_frame(const Udp& udp) {
  Bytes frame;
  put_ethernet(frame, udp.to_mac, udp.from_mac, 0x0800);
  const auto length = static_cast<std::uint16_t>(20 + 8 + udp.payload.size());
  frame.push_back(0x45);
  frame.push_back(udp.tos);
  put_u16(frame, length);
  put_u16(frame, 1);
  put_u16(frame, udp.fragment);
  frame.push_back(udp.ttl);
  frame.push_back(17);
  put_u16(frame, 0);
  put_v4(frame, udp.from);
  put_v4(frame, udp.to);
  set_u16(frame, 24, static_cast<std::uint16_t>(~sum_of(std::span(frame).subspan(14, 20))));
  put_u16(frame, udp.from_port);
  put_u16(frame, udp.to_port);
  put_u16(frame, static_cast<std::uint16_t>(8 + udp.payload.size()));
  put_u16(frame, 0);
  frame.insert(frame.end(), udp.payload.begin(), udp.payload.end());
  if (udp.checksum)
    set_u16(frame, 40, static_cast<std::uint16_t>(~udp_sum(std::span(frame).subspan(14))));
  return frame;
}

Bytes arp_frame(const Arp& arp) {
  Bytes frame;
  put_ethernet(frame, arp.to_mac, arp.from_mac, 0x0806);
  put_u16(frame, 1);
  put_u16(frame, 0x0800);
  frame.push_back(6);
  frame.push_back(4);
  put_u16(frame, arp.operation);
  put_mac(frame, arp.sender_mac);
  put_v4(frame, arp.sender);
  put_mac(frame, arp.target_mac);
  put_v4(frame, arp.target);
  return frame;
}

Bytes vxlan(std::uint32_t vni, std::span<const std::uint8_t> inner) {
  Bytes bytes = {0x08, 0, 0, 0};
  bytes.push_back(static_cast<std::uint8_t>(vni >> 16));
  put_u16(bytes, static_cast<std::uint16_t>(vni));
  bytes.push_back(0);
  bytes.insert(bytes.end(), inner.begin(), inner.end());
  return bytes;
}

Mac mac_at(std::span<const std::uint8_t> frame, std::size_t offset) {
  Mac mac;
  if (frame.size() >= offset + 6) std::ranges::copy(frame.subspan(offset, 6), mac.bytes.begin());
  return mac;
}

IpAddr v4_at(std::span<const std::uint8_t> frame, std::size_t offset) {
  if (frame.size() < offset + 4) return {};
  std::uint32_t value = 0;
  for (const std::uint8_t byte : frame.subspan(offset, 4)) value = value << 8 | byte;
  return IpAddr::v4(value);
}

std::uint16_t u16_at(std::span<const std::uint8_t> frame, std::size_t offset) {
  if (frame.size() < offset + 2) return 0;
  return static_cast<std::uint16_t>(frame[offset] << 8 | frame[offset + 1]);
}

bool ipv4_checksum_right(std::span<const std::uint8_t> frame, std::size_t offset) {
  return frame.size() >= offset + 20 && sum_of(frame.subspan(offset, 20)) == 0xffff;
}

bool udp_checksum_right(std::span<const std::uint8_t> frame, std::size_t offset) {
  if (frame.size() < offset + 28) return false;
  if (u16_at(frame, offset + 26) == 0) return true;
  return udp_sum(frame.subspan(offset, u16_at(frame, offset + 2))) == 0xffff;
}

}  // namespace heddle::testing
