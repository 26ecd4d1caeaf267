#pragma once
#include <string>
#include <vector>

#include "dataplane/intent/host_state.h"
#include "dataplane/intent/operation.h"
#include "netd/model/view.h"

// What has to be done, or said, about the difference of two states. Pure. Threads: any.
namespace heddle::reconcile {

// The steps from `observed` to `wanted`. Removals come first, dependents before what they depend
// on; then what is missing or differs, in the opposite order. An attachment that is made anew takes
// its host route and its address along, since those hold its interface index. Sysctls that are not
// wanted stay as they are.
std::vector<dataplane::Operation> diff(const dataplane::HostState& wanted,
                                       const dataplane::HostState& observed);

// Each difference in a sentence for `heddle verify`; none when diff()
// is empty. The view gives the names.
std::vector<std::string> explain(const dataplane::HostState& wanted,
                                 const dataplane::HostState& observed,
                                 const model::View& view = {});

}  // namespace heddle::reconcile
