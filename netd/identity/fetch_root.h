#pragma once
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/identity/certificate.h"

namespace heddle::identity {

struct RootPin {
  std::string host;  // address, or a name for getaddrinfo(3)
  std::uint16_t port = 0;
  Digest root{};            // from the join token
  std::string server_name;  // the name that the leaf must carry
};

// Connects by TLS, sends nothing beyond the handshake, and returns as PEM the one certificate of
// the server's chain that has the pinned digest, after checking that it signed the server's own.
// Threads: any; blocks.
// Errors:  `denied` when no certificate has that digest or the leaf is not its; `unavailable` when
//          nobody answers; `unsupported` when what answers does not speak TLS; `timeout`.
Result<std::string> fetch_root(const RootPin& pin, const Clock& clock, Deadline deadline);

}  // namespace heddle::identity
