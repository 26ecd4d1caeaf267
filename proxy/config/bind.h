#pragma once
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/net/ip.h"

namespace heddle::config {

// A listening TCP socket at `address`. Errors: `in_use`, `denied` and others with the address.
Result<UniqueFd> bind_tcp(const SocketAddr& address);

// A listening unix socket at `path`, for root and the program's own user alone. What a process that
// ended without a word left there is replaced, and with `theirs` what one has that is about to end.
// Errors: `in_use` when somebody listens there who is to be left alone.
enum class Present { left, replaced };
Result<UniqueFd> bind_unix(const std::string& path, Present theirs);

}  // namespace heddle::config
