#pragma once
#include <memory>
#include <string>

#include "common/base/result.h"
#include "netd/control/daemon.h"
#include "netd/flows/flow.h"

namespace heddle::server {

// The API of netd/api/heddle.proto and flows.proto on a unix socket: translates messages to calls
// of the Daemon and back, and refuses what does not translate. Holds no state. Access:  root and
// the group of the socket (mode 0660); `group` is left out when it does not exist. Threads: gRPC's;
// each call blocks one of them. Messages over 1 MiB are refused.
class Server {
 public:
  struct Settings {
    std::string socket;
    std::string group = "heddle";
  };
  // Errors: `unavailable` when the socket cannot be made, with the path and the reason.
  static Result<std::unique_ptr<Server>> start(Settings settings, control::Daemon& daemon,
                                               flows::Source& flows);
  virtual ~Server() = default;  // refuses new calls, waits a moment for those under way
};

}  // namespace heddle::server
