#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::model {

// Object ids are 16 lower-case hexadecimal digits, random, never reused.
using Id = std::string;

// Where an object is known: on its node alone, or in the whole swarm.
enum class Scope { local, swarm };

// A name that people give: 1 to 63 of [a-z0-9_-], starting with a letter or digit, so that it is
// also a DNS label (RFC 1035, section 2.3.1, with Docker's underscore). `what` names the object in
// the error: "network name".
Result<> check_name(std::string_view what, std::string_view name);

std::string_view format(Scope scope);
Result<Scope> parse_scope(std::string_view text);

}  // namespace heddle::model
