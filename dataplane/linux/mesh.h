#pragma once
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/operation.h"
#include "dataplane/linux/attachments.h"
#include "dataplane/linux/sandboxes.h"
#include "dataplane/linux/stale_flows.h"
#include "dataplane/netns/visitor.h"

namespace heddle::dataplane {

class ListenerSource;

// Sandboxes whose sockets the programs act on: members of services' networks, and workloads with a
// sidecar. The programs know sandboxes by cookie and the proxy by its cgroup's id.
class Mesh final {
 public:
  Mesh(std::string cgroup, const netns::Visitor& visitor, ListenerSource& listeners,
       const ProgramsOrError& programs)
      : cgroup_(std::move(cgroup)),
        visitor_(visitor),
        listeners_(listeners),
        programs_(programs),
        stale_flows_(visitor, programs) {}

  Result<> ensure(const Member& member);
  Result<> remove_member(const SandboxPath& sandbox);
  // Errors: `not_found` without the cgroup; `unavailable` while nobody listens on the inbound port.
  Result<> ensure(const Interception& interception);
  Result<> remove_interception(const SandboxPath& sandbox);

  // Of the sandboxes that are known by path: all that were applied or observed since the start.
  Result<> end_stale_flows();

  Result<> observe(const HostState& wanted, const std::map<SandboxPath, SandboxView>& sandboxes,
                   HostState& state);

 private:
  Result<std::uint64_t> cgroup_id(const std::string& path) const;
  std::string cgroup_name(std::uint64_t id, const std::string& wanted) const;
  Result<StaleFlows::Paths> known_members() const;

  const std::string cgroup_;
  const netns::Visitor& visitor_;
  ListenerSource& listeners_;
  const ProgramsOrError& programs_;
  const StaleFlows stale_flows_;
  Cookies cookies_;
};

}  // namespace heddle::dataplane
