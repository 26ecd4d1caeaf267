#pragma once
#include <cstdint>
#include <string>

#include "proxy/http/message.h"
#include "proxy/snapshot/config.h"

// Which action a request gets, by the listener's rules. Pure.
namespace heddle::route {

// The first rule by priority whose conditions all hold, else the default action; nullptr if none.
// Hosts compare without case and port; paths and methods byte by byte, as they were sent.
const snapshot::Action* find_action(const snapshot::Listener& listener,
                                    const http::RequestHead& request);

// A group in proportion to its weight; `random` is uniform over 64 bits.
const std::string& choose_group(const snapshot::Forward& forward, std::uint64_t random);

}  // namespace heddle::route
