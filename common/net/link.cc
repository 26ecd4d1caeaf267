#include "common/net/link.h"

#include <cstdio>

namespace heddle {
namespace {
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

Result<Mac> Mac::parse(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid,
                "'" + std::string(text) + "' is not a MAC address such as 02:42:0a:00:00:05");
  };
  if (text.size() != 17) return refuse();
  Mac mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex_value(text[i * 3]);
    const int low = hex_value(text[i * 3 + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':')) return refuse();
    mac.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return mac;
}

std::string Mac::format() const {
  char buffer[18];
  std::snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                bytes[2], bytes[3], bytes[4], bytes[5]);
  return buffer;
}

}  // namespace heddle
