#pragma once
#include <chrono>
#include <string>

#include "common/base/result.h"

namespace heddle::admin {

struct Answer {
  int status = 0;
  std::string body;
};

// Asks a running proxy over its admin socket, and blocks. `method`: GET or POST; `target`: a page
// with its query. Errors: `unavailable` and the like when nobody answers at `socket` in time.
Result<Answer> ask_proxy(const std::string& socket, const std::string& method,
                         const std::string& target, std::chrono::seconds patience);

}  // namespace heddle::admin
