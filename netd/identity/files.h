#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::identity {

// Replaces `file` whole or not at all, also across a power cut: written beside it, fsync'ed,
// renamed. Mode 0600, whatever the umask.
Result<> write_private(const std::string& file, std::string_view content);

// Errors: `not_found`; `invalid` beyond `max_bytes`.
Result<std::string> read_private(const std::string& file, std::size_t max_bytes = 64 << 20);

}  // namespace heddle::identity
