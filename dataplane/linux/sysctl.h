#pragma once
#include <optional>
#include <string>

#include "common/base/result.h"

// Settings under /proc/sys of the calling thread's network namespace. Source:
// Documentation/networking/ip-sysctl.rst; which may be written: intent/validate.cc.
namespace heddle::dataplane {

// Writes `value` unless it is there already. Name: net/ipv4/ip_forward.
Result<> write_sysctl(const std::string& name, const std::string& value);

// The same for a setting of one interface that its sandbox's owner asked for.
// Errors: `not_found` when this kernel has no such setting; `invalid` when it does not take the
// value, or shows it in other words.
Result<> write_interface_sysctl(const std::string& name, const std::string& value);

// Absent when this kernel has no such setting.
std::optional<std::string> read_sysctl(const std::string& name);

}  // namespace heddle::dataplane
