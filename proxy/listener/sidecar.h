#pragma once
#include <map>
#include <memory>

#include "common/async/task.h"
#include "proxy/listener/client.h"
#include "proxy/listener/ingress.h"

namespace heddle::listener {

// A workload's connection that was steered here: to the group that serves where it wanted to go,
// else straight there. `listening`: the address the listener is bound to, to know a direct
// connection, which is closed.
Task<> serve_outbound(Ingress& ingress, Client& client, SocketAddr listening);

// The workload's own ports as groups of one target on loopback. Only declared ports have one.
using LocalGroups = std::map<std::uint16_t, std::shared_ptr<upstream::Group>>;
LocalGroups make_local_groups(Core& core, const snapshot::Listener& config, LocalGroups old);

// A connection to the workload that was steered here: to the same port on loopback.
Task<> serve_inbound(Ingress& ingress, Client& client, SocketAddr listening,
                     const LocalGroups& groups);

}  // namespace heddle::listener
