#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::traffic {

// A query for A records (RFC 1035, section 4). Errors: `invalid` for a name that cannot be written.
Result<std::string> encode_dns_query(std::uint16_t id, const std::string& name);

struct DnsAnswer {
  std::uint16_t id = 0;
  int rcode = 0;
  int answers = 0;
};
// The header of a response; nothing when it is none.
std::optional<DnsAnswer> read_dns_answer(std::string_view packet);

}  // namespace heddle::traffic
