#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/message.h"
#include "proxy/snapshot/config.h"

namespace heddle::route {

// What ties a request to a target of its group.
struct Affinity {
  std::optional<std::uint64_t>
      hash;                  // of the key that the group hashes by, when the request has one
  std::uint64_t sticky = 0;  // the target that its cookie names; 0: none
};
Affinity affinity_of(const snapshot::TargetGroup& group, const http::RequestHead& request,
                     std::string_view client);
// Of a connection that is not read: only its address can be a key.
std::optional<std::uint64_t> hash_of_client(const snapshot::TargetGroup& group,
                                            std::string_view client);

// A cookie of the request; nullopt without one of this name.
std::optional<std::string_view> cookie_of(const http::RequestHead& request, std::string_view name);

// By which hashing and cookies know a target or a group; on every proxy the same, never 0.
std::uint64_t key_of(std::string_view id);
// The value of a Set-Cookie that names `key`.
std::string format_cookie(const snapshot::Sticky& sticky, std::uint64_t key);
// The key that a cookie's value names; 0 for anything else.
std::uint64_t parse_cookie(std::string_view value);

}  // namespace heddle::route
