#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/intent/operation.h"

namespace heddle::dataplane {

// The kernel of one node, as far as Heddle uses it. Two implementations, one conformance suite:
// linux/ (the real one) and fake/ (in memory, for tests of everything above).
// Owns:     only what it made itself: links by their IFLA_GROUP, one nft table, its own bpffs
// mount. Threads:  one caller at a time; calls block (a few ms; RTNL may add more). Errors:
// `denied` without CAP_NET_ADMIN or CAP_BPF; `unsupported` names the kernel feature that is
//           missing; `not_found` when a sandbox, device or cgroup is gone; `exhausted` when a map
//           is full (nothing is evicted).
class Kernel {
 public:
  virtual ~Kernel() = default;

  // Carries out one step. Idempotent. A failure leaves either the old or the new object, never
  // a half: what was begun is undone.
  virtual Result<> apply(const Operation& operation) = 0;

  // What is there now of our own. Sandboxes are looked into only where `wanted` names them: a
  // workload's namespace that nobody wants any more shows as an attachment with what the host
  // side tells. `wanted.sysctls` names the settings read.
  // States that no intent describes show too, so that a comparison finds them: linux/kernel.h says
  // how (a link that is down has MTU 0; `if#12`, `cookie:1234` name what belongs to nothing).
  virtual Result<HostState> observe(const HostState& wanted) = 0;

  // Whether a sandbox exists now.
  virtual bool sandbox_exists(const SandboxPath& sandbox) = 0;

  // Takes away everything of ours, whatever state it is in; goes on past failures and returns the
  // first.
  virtual Result<> remove_everything() = 0;
};

}  // namespace heddle::dataplane
