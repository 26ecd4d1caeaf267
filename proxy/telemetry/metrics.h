#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/telemetry/handles.h"

namespace heddle::telemetry {

// All metrics of the process. A set of labels exists as long as somebody holds its handle, so that
// targets that come and go leave nothing behind.
// Threads: any; taking a handle locks, counting does not.
class Metrics {
 public:
  explicit Metrics(std::string_view version);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics();

  std::shared_ptr<ListenerMetrics> listener(const std::string& listener);
  std::shared_ptr<RequestMetrics> requests(const std::string& listener, const std::string& service);
  std::shared_ptr<ServiceMetrics> service(const std::string& service);
  std::shared_ptr<TargetMetrics> target(const std::string& service, const std::string& target);

  // `heddle_proxy_refused_requests_total{class}`; `reason` is one of a fixed set.
  void count_refused(std::string_view reason);
  void set_revision(std::uint64_t revision);
  void count_rejected_config();
  void set_control_connected(int connected);
  void set_access_log_dropped(std::uint64_t lines);

  // Prometheus text exposition, version 0.0.4.
  std::string format() const;

  struct Registry;  // prometheus-cpp stays inside

 private:
  std::shared_ptr<Registry> registry_;
};

}  // namespace heddle::telemetry
