#pragma once
#include <string>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::control {

// Where a proxy asks for sockets that it was not started with: beside the configuration's socket.
inline constexpr const char* kSocketsSuffix = ".sockets";

struct SocketQuestion {
  std::string path;      // of heddled's socket for such questions
  std::string proxy_id;  // who asks; heddled compares with who connects
  std::string name;      // as a listener of the configuration has it
};

// Gets a listening socket from heddled: `<proxy id>\n<name>` goes out as one SOCK_SEQPACKET
// message, `ok` with a descriptor (SCM_RIGHTS, unix(7)), or why not, comes back. Deadline: past it,
// `timeout`. Errors: `unavailable` without heddled; `not_found` with what it says; `invalid`: no
// listener came.
Task<Result<UniqueFd>> fetch_socket(SocketQuestion question, Deadline deadline);

}  // namespace heddle::control
