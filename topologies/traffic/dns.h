#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/net/ip.h"

namespace heddle::traffic {

inline constexpr std::uint16_t kDnsTypeA = 1;
inline constexpr std::uint16_t kDnsTypeAaaa = 28;

// A query (RFC 1035, section 4). Errors: `invalid` for a name that cannot be written.
Result<std::string> encode_dns_query(std::uint16_t id, const std::string& name,
                                     std::uint16_t type = kDnsTypeA);

struct DnsAnswer {
  std::uint16_t id = 0;
  int rcode = 0;
  int answers = 0;
};
// The header of a response; nothing when it is none.
std::optional<DnsAnswer> read_dns_answer(std::string_view packet);

// The addresses of a response's answers of one type. Nothing when the packet is cut short or its
// names lead nowhere.
std::optional<std::vector<IpAddr>> read_dns_addresses(std::string_view packet, std::uint16_t type);

}  // namespace heddle::traffic
