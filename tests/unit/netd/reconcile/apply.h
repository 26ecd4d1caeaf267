#pragma once
#include "dataplane/intent/operation.h"

namespace heddle::tests {

// Carries a step out on a value: what a kernel does, without its refusals.
void apply(const dataplane::Operation& step, dataplane::HostState& state);

}  // namespace heddle::tests
