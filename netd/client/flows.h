#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace heddle::client {

// Which flows to read; "" lets everything through. As netd/api/flows.proto has it.
struct FlowQuery {
  std::uint64_t after = 0;  // 0: from now on
  std::uint32_t one_of = 1;
  std::chrono::milliseconds wait{};
  std::string workload;
  std::string service;
  std::string verdict;
  std::string reason;
};
struct Flow {
  std::chrono::sys_time<std::chrono::microseconds> at;
  std::string verdict;
  std::string reason;
  std::string network;
  std::string protocol;
  std::string from;
  std::string from_workload;
  std::string to;
  std::string to_workload;
  std::string service;
  std::string backend;
  std::string node;
  std::uint32_t bytes = 0;
};
struct FlowPage {
  std::vector<Flow> flows;  // oldest first
  std::uint64_t last = 0;
  std::uint64_t lost = 0;
};

// What the programs of one heddled decide. Threads and errors: as those of Client.
class FlowReader final {
 public:
  // Errors: see Client::connect.
  static Result<std::unique_ptr<FlowReader>> connect(const std::string& socket);
  ~FlowReader();
  FlowReader(const FlowReader&) = delete;
  FlowReader& operator=(const FlowReader&) = delete;

  Result<FlowPage> read(const FlowQuery& query, Deadline deadline);

 private:
  struct Impl;
  explicit FlowReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::client
