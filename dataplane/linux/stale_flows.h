#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/attachments.h"
#include "dataplane/netns/visitor.h"

namespace heddle::dataplane {

// Sockets of members that were connected through a VIP and lead to what is no backend any more:
// the programs tell which, their namespaces are visited to end them.
// On a kernel that cannot find or end other programs' sockets there are none; the probe
// `sock_destroy` says so.
class StaleFlows final {
 public:
  StaleFlows(const netns::Visitor& visitor, const ProgramsOrError& programs)
      : visitor_(visitor), programs_(programs) {}

  using Paths = std::map<std::uint64_t, SandboxPath>;  // of members, by cookie
  Result<std::set<StaleFlow>> find(const Paths& members) const;
  // Goes on past failures and returns the first.
  Result<> end(const Paths& members) const;

 private:
  using Sockets = std::map<std::uint64_t, std::vector<bpf::Programs::StaleSocket>>;  // by namespace
  Result<Sockets> sockets_of(const Paths& members) const;

  const netns::Visitor& visitor_;
  const ProgramsOrError& programs_;
};

}  // namespace heddle::dataplane
