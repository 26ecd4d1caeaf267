#pragma once
#include <cstdint>
#include <string>

#include "proxy/snapshot/config.h"

namespace heddle::route {

// A group in proportion to its weight; `random` is uniform over 64 bits.
const std::string& choose_group(const snapshot::Forward& forward, std::uint64_t random);

}  // namespace heddle::route
