#pragma once
#include <vector>

#include "common/base/result.h"
#include "dataplane/bpf/objects.h"
#include "dataplane/bpf/programs.h"

namespace heddle::bpf {

// What Programs::stale_sockets() gives, by the iterator of ebpf/stale.bpf.c.
Result<std::vector<Programs::StaleSocket>> stale_sockets(const Objects& objects);

}  // namespace heddle::bpf
