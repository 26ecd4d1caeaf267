#pragma once
#include "dataplane/intent/host_state.h"
#include "dataplane/intent/operation.h"

namespace heddle::dataplane {

// What a state becomes by a step that succeeded. An attachment that was there may have been made
// anew: what holds its interface index is taken to be lost with it, and diff() makes it again.
void advance(HostState& state, const Operation& step);

}  // namespace heddle::dataplane
