#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace heddle::runtime {

// A workload's network namespace, as a path that opens it.
struct SandboxRef {
  std::string path;
  std::string owner;  // of `pid:`, "PID:STARTTIME": a reused pid is not taken for it; else ""
  friend bool operator==(const SandboxRef&, const SandboxRef&) = default;
};

// Reads `netns:PATH` (absolute) or `pid:N` and looks at the namespace.
// Errors: `invalid` for another form, a file that is no network namespace, or our own namespace
//         ("has host networking"); `not_found` when there is no such file or process.
Result<SandboxRef> resolve_reference(std::string_view reference);

// False once the process behind `owner` has ended; true for "".
bool owner_alive(const std::string& owner);

}  // namespace heddle::runtime
