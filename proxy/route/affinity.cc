#include "proxy/route/affinity.h"

#include <algorithm>
#include <charconv>

#include "common/base/stable_hash.h"
#include "proxy/http/syntax.h"

namespace heddle::route {
namespace {

using snapshot::HashBy;

// SplitMix64's last step: FNV alone leaves neighbouring texts near each other.
std::uint64_t spread(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::optional<std::string_view> key_text(const HashBy& by, const http::RequestHead& request,
                                         std::string_view client) {
  switch (by.of) {
    case HashBy::Of::source:
      return client;
    case HashBy::Of::host:
      return request.host;
    case HashBy::Of::path:
      return request.path;
    case HashBy::Of::header:
      return request.value_of(by.name);
    case HashBy::Of::cookie:
      return cookie_of(request, by.name);
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t key_of(std::string_view id) {
  return std::max<std::uint64_t>(1, spread(stable_hash(id)));
}

std::optional<std::string_view> cookie_of(const http::RequestHead& request, std::string_view name) {
  for (const http::HeaderField& field : request.fields) {
    if (!http::iequals(field.name, "cookie")) continue;
    for (std::size_t at = 0; at < field.value.size();) {
      const auto end = std::min(field.value.find(';', at), field.value.size());
      const std::string_view one = http::trim(field.value.substr(at, end - at));
      at = end + 1;
      if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
        return one.substr(name.size() + 1);
      }
    }
  }
  return std::nullopt;
}

std::string format_cookie(const snapshot::Sticky& sticky, std::uint64_t key) {
  char digits[17];
  const auto end = std::to_chars(digits, digits + sizeof digits, key, 16).ptr;
  std::string out = sticky.cookie + "=" + std::string(digits, end) + "; Path=/; HttpOnly";
  if (sticky.lifetime.count() > 0) out += "; Max-Age=" + std::to_string(sticky.lifetime.count());
  return out;
}

std::uint64_t parse_cookie(std::string_view value) {
  std::uint64_t key = 0;
  const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), key, 16);
  return ec == std::errc() && end == value.data() + value.size() ? key : 0;
}

Affinity affinity_of(const snapshot::TargetGroup& group, const http::RequestHead& request,
                     std::string_view client) {
  Affinity out;
  if (snapshot::hashes(group.algorithm)) {
    const auto text = key_text(group.hash_by, request, client);
    if (text && !text->empty()) out.hash = key_of(*text);
  }
  if (group.sticky) {
    const auto cookie = cookie_of(request, group.sticky->cookie);
    if (cookie) out.sticky = parse_cookie(*cookie);
  }
  return out;
}

std::optional<std::uint64_t> hash_of_client(const snapshot::TargetGroup& group,
                                            std::string_view client) {
  const bool known = snapshot::hashes(group.algorithm) && group.hash_by.of == HashBy::Of::source;
  if (!known || client.empty()) return std::nullopt;
  return key_of(client);
}

}  // namespace heddle::route
