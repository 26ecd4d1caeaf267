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

namespace heddle::telemetry {

// One request or relayed connection. Views live as long as the call.
struct AccessRecord {
  std::chrono::system_clock::time_point at;
  std::string_view listener;
  std::string_view client;
  std::string_view kind;  // "http" or "tcp"
  std::string_view method;
  std::string_view host;
  std::string_view path;
  int status = 0;
  std::string_view reason;  // why the proxy itself answered, or what went wrong
  std::string_view request_id;
  std::string_view service;
  std::string_view target;
  int attempts = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::chrono::nanoseconds duration{};
};

std::string format_record(const AccessRecord& record);

// Writes one JSON object per line from a thread of its own, so that a slow disk or a full pipe
// never holds a request up: lines beyond one megabyte of backlog are dropped and counted. Threads:
// any.
class AccessLog {
 public:
  // `where`: a path (appended to), "-" for standard output, "none". One line in `sample_one_in` is
  // written; answers with status 500 and above always are.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& where,
                                                 std::uint32_t sample_one_in);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  bool wants(int status);  // cheap; ask before filling a record
  void write(const AccessRecord& record);
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  AccessLog(UniqueFd fd, std::uint32_t sample_one_in);
  void run();
  void write_batch(std::string_view rest);

  UniqueFd fd_;
  const std::uint32_t sample_one_in_;
  std::atomic<std::uint32_t> seen_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string pending_;
  bool stopping_ = false;
  std::thread writer_;
};

}  // namespace heddle::telemetry
