#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/host_view.h"
#include "dataplane/linux/own_proc.h"
#include "dataplane/linux/reaper.h"
#include "dataplane/linux/sandboxes.h"
#include "dataplane/linux/undo.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/socket.h"
#include "dataplane/netns/visitor.h"

namespace heddle::dataplane {

// Endpoints without a host side: macvlans and ipvlans inside sandboxes, on a parent of the daemon's
// namespace. Ours have our group, and the endpoint's host name as their alias (as their name,
// while they are being made). They are found through the numbers that the daemon's namespace has
// for others: each sandbox is given one before anything is put into it, and keeps it while it
// lives, so that what nobody wants any more is found too.
class Parented final {
 public:
  // `own_netns`: of the daemon, borrowed.
  Parented(netlink::Socket& socket, const netns::Visitor& visitor, OwnProc& proc,
           std::uint32_t group, int own_netns, Reaper& reaper)
      : socket_(socket),
        visitor_(visitor),
        proc_(proc),
        group_(group),
        own_netns_(own_netns),
        reaper_(reaper) {}

  // Errors: `not_found` without the sandbox or parent; `in_use` when the parent serves what
  // excludes it; `unsupported` by the kernel; `exists` when a name or MAC is taken.
  Result<> ensure(const Attachment& attachment);
  Result<> remove(const std::string& host_name);
  Result<> remove_everything();

  // Adds to `found`. Inside of sandboxes that nobody wants, only kind, parent, mode and MTU show.
  Result<> observe(const HostView& view, const HostState& wanted,
                   const std::map<SandboxPath, SandboxView>& sandboxes,
                   std::map<std::string, Attachment>& found);

 private:
  struct Place {
    int netns = 0;  // its number
    netlink::Link link;
  };
  using Numbers = std::set<int>;

  bool ours(const netlink::Link& link) const;
  Result<> learn_places();
  Result<std::vector<Place>> find(const std::string& host_name);
  Result<netlink::Link> create(const Attachment& attachment, int sandbox,
                               const netlink::Link& parent);
  Result<> name_inside(const Attachment& attachment, int sandbox, IfIndex index);

  netlink::Socket& socket_;
  const netns::Visitor& visitor_;
  OwnProc& proc_;
  const std::uint32_t group_;
  const int own_netns_;
  Reaper& reaper_;
  // Where each host name was last seen or put: saves looking into every namespace at each change.
  std::optional<std::map<std::string, Numbers>> places_;
};

}  // namespace heddle::dataplane
