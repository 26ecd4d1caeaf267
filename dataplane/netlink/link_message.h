#pragma once
// Inside this folder only: what messages about links have in common.
#include <linux/rtnetlink.h>

#include <cstdint>
#include <optional>

#include "dataplane/netlink/link.h"
#include "dataplane/netlink/message.h"

namespace heddle::netlink {

ifinfomsg link_header(IfIndex index = {});

// A link that must not exist yet.
Message new_link();

std::optional<Link> read_link(const nlmsghdr& message);

// The number of a mode on the wire, of the kind that has it. linux/if_link.h.
std::uint32_t number_of(dataplane::ParentMode mode);

}  // namespace heddle::netlink
