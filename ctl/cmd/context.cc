#include "ctl/cmd/context.h"

namespace heddle::cmd {

Deadline Context::deadline() const {
  return after(std::chrono::seconds(timeout_seconds));
}

Result<client::Client*> Context::daemon() {
  if (connected == nullptr) {
    TRY(connected, client::Client::connect(socket, deadline()));
  }
  return connected.get();
}

}  // namespace heddle::cmd
