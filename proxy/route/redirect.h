#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http/message.h"
#include "proxy/snapshot/config.h"

namespace heddle::route {

// How the request came in.
struct Arrival {
  std::string_view protocol = "http";
  std::uint16_t port = 80;
};

// The Location of a redirect. A port that is the protocol's own is left out, and so is an empty
// query.
std::string location_of(const snapshot::Redirect& redirect, const http::RequestHead& request,
                        const Arrival& arrival);

}  // namespace heddle::route
