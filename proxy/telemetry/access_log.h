#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proxy/telemetry/access_format.h"

namespace heddle::telemetry {

// Writes one line per request from a thread of its own, so that a slow disk or a full pipe
// never holds a request up: lines beyond one megabyte of backlog are dropped and counted. Threads:
// any.
class AccessLog {
 public:
  struct Settings {
    std::string where = "none";  // a path (appended to), "-" for standard output, "none"
    std::string format = "json";
    std::uint32_t sample = 1;  // one line in so many; answers with status 500 and above always
    friend bool operator==(const Settings&, const Settings&) = default;
  };
  static Result<std::unique_ptr<AccessLog>> open(const Settings& settings);
  // The same while it runs: a path is opened anew, as after a rotation. After an error nothing has
  // changed. One thread at a time.
  Result<> configure(const Settings& settings);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  bool wants(int status);  // cheap; ask before filling a record
  void write(const AccessRecord& record);
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  AccessLog() = default;
  void run();
  void write_batch(int fd, std::string_view rest);

  std::atomic<bool> on_{false};
  std::atomic<std::uint32_t> sample_one_in_{1};
  std::atomic<std::uint32_t> seen_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const UniqueFd> fd_;
  std::shared_ptr<const AccessFormat> format_;
  std::string pending_;
  bool stopping_ = false;
  std::thread writer_;
};

}  // namespace heddle::telemetry
