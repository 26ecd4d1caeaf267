#include "topologies/traffic/dns.h"

#include <algorithm>
#include <array>

namespace heddle::traffic {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kClassIn = 1;

std::uint16_t u16(std::string_view packet, std::size_t at) {
  return static_cast<std::uint16_t>((static_cast<unsigned char>(packet[at]) << 8) |
                                    static_cast<unsigned char>(packet[at + 1]));
}

// Behind a name, which is not followed where it is compressed: nobody asks what it is.
std::optional<std::size_t> skip_name(std::string_view packet, std::size_t at) {
  while (at < packet.size()) {
    const auto length = static_cast<unsigned char>(packet[at]);
    if (length >= 0xc0) return at + 2;
    if (length > 63) return std::nullopt;
    at += 1 + length;
    if (length == 0) return at;
  }
  return std::nullopt;
}

std::optional<IpAddr> address_in(std::string_view data, std::uint16_t type) {
  if (type == kDnsTypeA && data.size() == 4)
    return IpAddr::v4((static_cast<std::uint32_t>(u16(data, 0)) << 16) | u16(data, 2));
  if (type != kDnsTypeAaaa || data.size() != 16) return std::nullopt;
  std::array<std::uint8_t, 16> bytes;
  std::ranges::copy(data, bytes.begin());
  return IpAddr::v6(bytes);
}

}  // namespace

Result<std::string> encode_dns_query(std::uint16_t id, const std::string& name,
                                     std::uint16_t type) {
  std::string out{static_cast<char>(id >> 8), static_cast<char>(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  std::string trimmed = name;
  if (trimmed.ends_with('.')) trimmed.pop_back();
  for (std::size_t at = 0; at <= trimmed.size();) {
    const std::size_t end = std::min(trimmed.find('.', at), trimmed.size());
    if (end == at || end - at > 63 || trimmed.size() > 253)
      return fail(Errc::invalid, "\"" + name + "\" is no domain name");
    out += static_cast<char>(end - at);
    out += trimmed.substr(at, end - at);
    at = end + 1;
  }
  out += std::string{0, static_cast<char>(type >> 8), static_cast<char>(type), 0, kClassIn};
  return out;
}

std::optional<DnsAnswer> read_dns_answer(std::string_view packet) {
  if (packet.size() < kHeader || !(packet[2] & 0x80)) return std::nullopt;
  return DnsAnswer{.id = u16(packet, 0), .rcode = packet[3] & 0xf, .answers = u16(packet, 6)};
}

std::optional<std::vector<IpAddr>> read_dns_addresses(std::string_view packet, std::uint16_t type) {
  const auto head = read_dns_answer(packet);
  if (!head) return std::nullopt;
  std::size_t at = kHeader;
  for (int question = u16(packet, 4); question > 0; --question) {
    const auto end = skip_name(packet, at);
    if (!end || *end + 4 > packet.size()) return std::nullopt;
    at = *end + 4;
  }
  std::vector<IpAddr> out;
  for (int answer = head->answers; answer > 0; --answer) {
    const auto end = skip_name(packet, at);
    if (!end || *end + 10 > packet.size()) return std::nullopt;
    const std::size_t data = *end + 10;
    const std::size_t length = u16(packet, *end + 8);
    if (data + length > packet.size()) return std::nullopt;
    if (u16(packet, *end) == type && u16(packet, *end + 2) == kClassIn) {
      const auto address = address_in(packet.substr(data, length), type);
      if (!address) return std::nullopt;
      out.push_back(*address);
    }
    at = data + length;
  }
  return out;
}

}  // namespace heddle::traffic
