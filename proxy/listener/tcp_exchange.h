#pragma once
#include <memory>
#include <string>

#include "common/async/task.h"
#include "proxy/listener/client.h"
#include "proxy/listener/ingress.h"

namespace heddle::listener {

// Connects a client to a target of `group` and copies both ways; another target is tried while
// connecting fails. A client that cannot be served is reset.
// `group` is kept by the caller until the end.
Task<> relay_to_group(Ingress& ingress, Client& client, upstream::Group& group);

// Copies to and from one address, as if the proxy were not there.
Task<> pass_through(Ingress& ingress, Client& client, SocketAddr destination);

}  // namespace heddle::listener
