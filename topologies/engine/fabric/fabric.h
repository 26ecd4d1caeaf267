#pragma once
#include <map>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::fabric {

// A lab's network in the kernel: namespaces pinned under its run directory, the switch with its
// bridges, and links. What it makes lives in those namespaces, so removing their pins once no
// process is left takes everything away, whoever made it.
// Threads: one caller at a time; calls block for milliseconds.
// Errors:  `exists` when something of that name is there already; `denied` without CAP_NET_ADMIN.
class Fabric final {
 public:
  explicit Fabric(const plan::Plan& plan) : plan_(plan) {}  // borrowed

  // Namespaces, bridges and links of the whole lab.
  Result<> create();

  // A power cut's network side: the member's links vanish from the others at once, as if pulled.
  Result<> cut(const std::string& member);
  // Removes a cut member's namespace; its processes must be gone.
  Result<> remove_member(const std::string& member);
  // Makes the namespace and the links of a removed member again, with equal addresses.
  Result<> restore(const std::string& member);

 private:
  Result<> create_switch();
  Result<> create_veth(const plan::Veth& veth);
  Result<> set_sysctls(const plan::Member& member);
  const plan::Plan& plan_;
};

// The mount and UTS namespaces of one linux node; they live as long as the descriptors or a process
// in them.
struct NodeNamespaces {
  UniqueFd mounts;
  UniqueFd uts;
};
// A copy of this machine's mounts with a sysfs that shows `netns`, and the node's binds. Mounts
// that keep others' namespaces or BPF objects alive are left out of the copy.
Result<NodeNamespaces> create_node_namespaces(const plan::Member& member,
                                              const std::string& directory);

}  // namespace heddle::fabric
