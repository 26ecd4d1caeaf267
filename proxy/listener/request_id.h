#pragma once
#include <string>

#include "proxy/balance/random.h"

namespace heddle::listener {

// 128 random bits in hexadecimal: a name for a request in logs, not a secret.
std::string make_request_id(balance::Random& random);

}  // namespace heddle::listener
