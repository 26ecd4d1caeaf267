#pragma once
#include <sys/types.h>

#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::mesh {

// A listening unix socket at a path, which is replaced when it exists. Mode 0600.
struct UnixListener {
  std::string path;
  int type = 0;  // SOCK_STREAM or SOCK_SEQPACKET
  int backlog = 0;
  uid_t uid = 0;  // who may connect, besides root
};

// Errors: `invalid` for a path longer than 107 bytes; those of the file system.
Result<UniqueFd> listen_unix(const UnixListener& wanted);

// Who is at the other end of a connection, told by the kernel (SO_PEERCRED).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
};
Result<Peer> peer_of(int connection);

}  // namespace heddle::mesh
