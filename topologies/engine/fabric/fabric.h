#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "topologies/engine/plan/plan.h"

namespace heddle::fabric {

// A lab's network in the kernel: namespaces pinned under its run directory, the switch with its
// bridges, and links. What it makes lives in those namespaces, so removing their pins once no
// process is left takes everything away, whoever made it.
// Threads: one caller at a time; calls block, and use a few threads of their own.
// Errors:  `exists` when something of that name is there already; `denied` without CAP_NET_ADMIN.
class Fabric final {
 public:
  // Borrowed; as it is when a call is made. The calls that are given parts of a plan need not find
  // them in it.
  explicit Fabric(const plan::Plan& plan) : plan_(plan) {}

  // The place for pins, and the switch's namespace without bridges. Once, before anything else.
  Result<> create_base();
  Result<> add_bridges(const std::vector<const plan::Bridge*>& bridges);
  Result<> remove_bridge(const std::string& name);
  // Without their links. Containers are the engine's: their namespaces are pinned already.
  Result<> add_members(const std::vector<const plan::Member*>& members);
  Result<> add_links(const std::vector<const plan::Veth*>& links);
  Result<> add_devices(const std::vector<const plan::Device*>& devices);
  Result<> remove_links(const std::vector<const plan::Veth*>& links);
  Result<> remove_devices(const std::vector<const plan::Device*>& devices);

  // A power cut's network side: the member's links vanish from the others at once, as if pulled.
  Result<> cut(const std::string& member);
  // Removes a cut member's namespace with its links; its processes must be gone.
  Result<> remove_member(const std::string& member);
  // Makes the namespace (not a container's) and the links of a removed member again, with equal
  // addresses.
  Result<> restore(const std::string& member);

 private:
  Result<> set_sysctls(const plan::Member& member);
  const plan::Plan& plan_;
};

// The mount and UTS namespaces of one linux node; they live as long as the descriptors or a process
// in them.
struct NodeNamespaces {
  UniqueFd mounts;
  UniqueFd uts;
};

// What nodes' mount namespaces are copies of: this machine's mounts without those that keep others'
// namespaces or BPF objects alive, nor the lab's own pins, of which each copy would have them all.
Result<UniqueFd> create_node_mounts(const plan::LabPaths& paths);

struct NodePlaces {
  std::string directory;  // where relative binds begin
  std::string scratch;    // a directory of the lab's that the copies show
};
// A copy of `node_mounts` with a sysfs that shows the node's network namespace, its tmpfs, resolver
// and binds.
Result<NodeNamespaces> create_node_namespaces(const plan::Member& member, int node_mounts,
                                              const NodePlaces& places);

}  // namespace heddle::fabric
