#include "topologies/engine/process/parallel.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

namespace heddle::process {

Result<> in_parallel(std::size_t count, const std::function<Result<>(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> first;
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      auto done = work(i);
      if (done) continue;
      next = count;
      std::lock_guard lock(mutex);
      if (!first) first = std::move(done).error();
    }
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  try {
    while (threads.size() + 1 < std::min({count, cores, kMostThreads})) threads.emplace_back(run);
  } catch (const std::system_error&) {  // fewer, then: this one is always there
  }
  run();
  for (std::thread& thread : threads) thread.join();
  if (first) return std::unexpected(*std::move(first));
  return {};
}

}  // namespace heddle::process
