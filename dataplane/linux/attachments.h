#pragma once
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "dataplane/bpf/programs.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/host_view.h"
#include "dataplane/linux/own_proc.h"
#include "dataplane/linux/reaper.h"
#include "dataplane/linux/sandboxes.h"
#include "dataplane/linux/undo.h"
#include "dataplane/netlink/socket.h"
#include "dataplane/netns/visitor.h"

namespace heddle::dataplane {

// The loaded programs, or why there are none. An overlay needs them, a bridge does not.
using ProgramsOrError = Result<std::unique_ptr<bpf::Programs>>;
Result<bpf::Programs*> need(const ProgramsOrError& programs);

// Endpoints' veth pairs: the host side is a link of our group; the other end is found by its index
// in the sandbox that the intent names.
class Attachments final {
 public:
  Attachments(netlink::Socket& socket, const netns::Visitor& visitor, OwnProc& proc,
              std::uint32_t group, Reaper& reaper, const ProgramsOrError& programs)
      : socket_(socket),
        visitor_(visitor),
        proc_(proc),
        group_(group),
        reaper_(reaper),
        programs_(programs) {}

  // Errors: `not_found` without the sandbox or bridge; `exists` when a name is taken, here or in
  // the sandbox, or a route's destination is.
  Result<> ensure(const Attachment& attachment);
  // Also `if#12`: what is left of an attachment whose link went with its sandbox.
  Result<> remove(const std::string& host_name);

  // A pair of which an end is down shows with MTU 0. Sandbox, names and what else lies inside stay
  // empty unless the wanted sandbox holds the other end.
  std::map<std::string, Attachment> observe(const HostView& view, const HostState& wanted,
                                            const std::map<SandboxPath, SandboxView>& sandboxes,
                                            const std::vector<bpf::Programs::Port>& ports) const;

 private:
  struct Pair {
    netlink::Link host;
    bool fresh = false;
  };
  Result<Pair> find_or_create(const Attachment& attachment, int sandbox, IfIndex master,
                              Undo& undo);
  Result<bool> fits(const netlink::Link& host, const Attachment& attachment, int sandbox);
  Result<IfIndex> index_of_bridge(const std::string& name);
  Result<> set_up_host(const Attachment& attachment, IfIndex host);
  Result<> settle_host(const Attachment& attachment, const netlink::Link& host, IfIndex master,
                       Undo& undo);
  Result<> settle_port(const Attachment& attachment, const Pair& pair, Undo& undo);
  Result<> make_way(const Attachment& attachment, int sandbox);

  netlink::Socket& socket_;
  const netns::Visitor& visitor_;
  OwnProc& proc_;
  const std::uint32_t group_;
  Reaper& reaper_;
  const ProgramsOrError& programs_;
};

}  // namespace heddle::dataplane
