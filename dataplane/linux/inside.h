#pragma once
#include "common/base/result.h"
#include "dataplane/intent/host_state.h"
#include "dataplane/linux/sandboxes.h"
#include "dataplane/linux/sysctl.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netns/visitor.h"

// An endpoint's interface inside its sandbox, of whatever kind.
namespace heddle::dataplane {

// True when the interface takes the MAC that is wanted; the others have their parent's.
bool has_own_mac(const Attachment& attachment);

// Brings the interface to what is wanted. One that is `fresh` has nothing yet, and is deleted by
// the caller when this fails: it is set up without looking, in one batch.
struct InsideLink {
  int sandbox = -1;  // borrowed
  IfIndex index;
  bool fresh = false;
  ProcRoot proc = {};  // borrowed
};
Result<> settle_inside(const netns::Visitor& visitor, const Attachment& attachment,
                       const InsideLink& inside);

// Adds what an observation shows of the inside.
void see_inside(const Attachment& wanted, const SandboxView& sandbox, const netlink::Link& link,
                Attachment& found);

Error name_taken_inside(const Attachment& attachment);

}  // namespace heddle::dataplane
