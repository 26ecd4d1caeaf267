#pragma once
#include <cstdint>

#include "common/base/result.h"
#include "common/net/link.h"

// Our program on a device's clsact ingress (or egress), beside others' filters: told apart by its
// handle, first in order. Acts in the calling thread's network namespace. Source: tc-bpf(8), libbpf
// bpf_tc_*.
namespace heddle::bpf {

enum class Clsact { added, there };

// Attaches, or replaces in place what we attached before.
// Errors: `not_found` when the device is gone.
Result<Clsact> ensure_ingress_filter(IfIndex device, int program_fd);

// The same where packets leave the device.
Result<Clsact> ensure_egress_filter(IfIndex device, int program_fd);

// Absence of filter, qdisc or device is success.
Result<> remove_ingress_filter(IfIndex device);

// Takes the clsact qdisc away if no filter of anybody is left on it.
Result<> remove_empty_clsact(IfIndex device);

// Id of our program on the device; 0: none, or no such device.
Result<std::uint32_t> ingress_program(IfIndex device);

}  // namespace heddle::bpf
