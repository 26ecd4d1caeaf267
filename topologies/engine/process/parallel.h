#pragma once
#include <cstddef>
#include <functional>

#include "common/base/result.h"

namespace heddle::process {

// Runs work(0) to work(count - 1), each once, on a few threads; the first failure, after which
// nothing more is begun, is returned. The kernel makes networks under one lock (rtnl), so that more
// threads than kMostThreads would only wait.
inline constexpr std::size_t kMostThreads = 4;
Result<> in_parallel(std::size_t count, const std::function<Result<>(std::size_t)>& work);

}  // namespace heddle::process
