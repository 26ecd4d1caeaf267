#pragma once
#include <string>
#include <string_view>

#include "proxy/control/config_store.h"

// What is in force, as JSON for people (`/config`).
namespace heddle::control {

// `head`: members of the object that stand first, without braces.
std::string describe_config(std::string_view head, const ConfigStore& store);

// Of names and addresses, which were checked to be free of control characters; quotes may stand in
// them.
std::string quoted_json(std::string_view text);

}  // namespace heddle::control
