#pragma once
#include <memory>

#include "common/base/result.h"
#include "dataplane/bpf/flow_ring.h"
#include "dataplane/bpf/objects.h"

namespace heddle::bpf {

// That of the loaded objects.
Result<std::unique_ptr<FlowRing>> open_flow_ring(const Objects& objects);

}  // namespace heddle::bpf
