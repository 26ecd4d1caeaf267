#pragma once
#include <optional>
#include <string>

#include "common/base/result.h"

// Settings under /proc/sys of the calling thread's network namespace. Source:
// Documentation/networking/ip-sysctl.rst; which may be written: intent/validate.cc.
namespace heddle::dataplane {

// The procfs to go through: a descriptor of its root, borrowed, or /proc.
struct ProcRoot {
  int fd = -1;
};

// Writes `value` unless it is there already. Name: net/ipv4/ip_forward.
Result<> write_sysctl(const std::string& name, const std::string& value, ProcRoot root = {});

// Writes without looking, and says whether this kernel has such a setting.
Result<bool> put_sysctl(const std::string& name, const std::string& value, ProcRoot root = {});

// The same for a setting of one interface that its sandbox's owner asked for.
// Errors: `not_found` when this kernel has no such setting; `invalid` when it does not take the
// value, or shows it in other words.
Result<> write_interface_sysctl(const std::string& name, const std::string& value,
                                ProcRoot root = {});

// Absent when this kernel has no such setting.
std::optional<std::string> read_sysctl(const std::string& name, ProcRoot root = {});

}  // namespace heddle::dataplane
