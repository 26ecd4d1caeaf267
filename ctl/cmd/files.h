#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "ctl/cmd/context.h"

namespace heddle::cmd {

// Writes a command's result to the file of its `--output`, or to standard output when `path` is
// empty. A file that is there is replaced whole or, on failure, left as it was.
// Errors: the system's, with the path.
Result<> write_result(Context& context, const std::string& path, std::string_view text);

// A file's bytes. Errors: `invalid` past `max_bytes`; the system's, with the path.
Result<std::string> read_whole(const std::string& path, std::size_t max_bytes);

}  // namespace heddle::cmd
