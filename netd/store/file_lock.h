#pragma once
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::store {

// Creates `file` with mode 0600 if it is absent, and takes its flock(2); the lock goes with the
// descriptor. SQLite locks with fcntl(2), which does not meet flock's. The descriptor must be
// closed after SQLite's, since closing any drops a process's fcntl locks. Errors: `in_use`, naming
// the process that holds it.
Result<UniqueFd> lock_file(const std::string& file);

}  // namespace heddle::store
