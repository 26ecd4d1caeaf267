#pragma once
#include <vector>

#include "common/base/result.h"
#include "topologies/engine/plan/plan.h"

// Inside this folder only: links between namespaces that are there.
namespace heddle::fabric {

// All of them, up, with addresses and gateways, ports in their bridges. Errors: the first failure;
// some of the links are there then.
Result<> create_links(const std::vector<const plan::Veth*>& links);

// Absence is success, also of a namespace.
Result<> delete_links(const std::vector<const plan::Veth*>& links);

// The link's end is up, or not. Absence is success.
enum class Carrier { off, on };
Result<> set_end(const plan::End& end, Carrier to);

}  // namespace heddle::fabric
