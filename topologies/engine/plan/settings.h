#pragma once
#include <cstdint>

#include "ebpf/abi/wire.h"
#include "topologies/engine/format/impair.h"

namespace heddle::plan {

// An impairment as the program on a wire and the relay have it: chances as thresholds, times in
// nanoseconds. `to` and flags are the caller's.
heddle_wire_settings wire_settings(const format::Impairment& impairment, std::uint64_t key);

}  // namespace heddle::plan
