#pragma once
#include <string>

#include "common/base/result.h"
#include "dataplane/intent/operation.h"

namespace heddle::dataplane {

// What both kernels refuse before they look at anything. Pure.
// Errors: `invalid`, naming the value and what is accepted.
Result<> validate(const Operation& operation);

// 1 to 15 bytes that are no path, space or control byte, as the kernel asks (dev_valid_name).
Result<> validate_device(const std::string& name);

// The name of a setting of one network namespace that Heddle may write, and a small number.
Result<> validate_sysctl(const std::string& name, const std::string& value);

// A setting of one interface inside a sandbox, which the sandbox's owner asked for.
Result<> validate_interface_sysctl(const std::string& name, const std::string& value);

}  // namespace heddle::dataplane
