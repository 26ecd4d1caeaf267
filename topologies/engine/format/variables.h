#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::format {

// Replaces `${NAME}`, `${NAME:-default}` and `${NAME:=default}`. `$${` stands for a literal `${`.
// `find` answers a variable's value; what to do about unknown ones is the caller's choice.
// Errors: `invalid` for an unknown name under Unknown::refuse, and for results past 1 MiB.
enum class Unknown { refuse, keep };
using FindVariable = std::function<std::optional<std::string>(std::string_view name)>;
Result<std::string> expand(std::string_view text, const FindVariable& find, Unknown unknown);

}  // namespace heddle::format
