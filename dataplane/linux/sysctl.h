#pragma once
#include <optional>
#include <string>

#include "common/base/result.h"

// Settings under /proc/sys of the calling thread's network namespace. Only those of a list can be
// written, whoever asks. Source: Documentation/networking/ip-sysctl.rst.
namespace heddle::dataplane {

// Errors: `invalid` for a setting that Heddle does not write, or a value that is no small number.
Result<> validate_sysctl(const std::string& name, const std::string& value);

// Writes `value` unless it is there already. Name: net/ipv4/ip_forward.
Result<> write_sysctl(const std::string& name, const std::string& value);

// Absent when this kernel has no such setting.
std::optional<std::string> read_sysctl(const std::string& name);

}  // namespace heddle::dataplane
