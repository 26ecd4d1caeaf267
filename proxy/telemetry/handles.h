#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace heddle::telemetry {

struct MetricsFamilies;

// Labels of one connection's way in. Threads: any.
class ListenerMetrics {
 public:
  ListenerMetrics(std::shared_ptr<MetricsFamilies> families, const std::string& listener);
  ~ListenerMetrics();
  void opened();
  void closed();
  void rejected();

 private:
  std::shared_ptr<MetricsFamilies> families_;
  prometheus::Counter* connections_;
  prometheus::Counter* rejected_;
  prometheus::Gauge* active_;
};

// Requests that came in by `listener` for `service`. Threads: any.
class RequestMetrics {
 public:
  RequestMetrics(std::shared_ptr<MetricsFamilies> families, std::string listener,
                 std::string service);
  ~RequestMetrics();
  void finished(int status, std::chrono::nanoseconds duration);
  void tcp_finished(std::uint64_t received_bytes, std::uint64_t sent_bytes);

 private:
  prometheus::Counter& by_status(int status);

  std::shared_ptr<MetricsFamilies> families_;
  const std::string listener_;
  const std::string service_;
  std::array<std::atomic<prometheus::Counter*>, 500> by_status_{};  // index: status - 100
  prometheus::Histogram* duration_;
  std::atomic<prometheus::Counter*> tcp_received_{nullptr};
  std::atomic<prometheus::Counter*> tcp_sent_{nullptr};
};

// What happens behind the proxy for one service. Threads: any.
class ServiceMetrics {
 public:
  ServiceMetrics(std::shared_ptr<MetricsFamilies> families, const std::string& service);
  ~ServiceMetrics();
  void retried();
  void no_target();
  void overloaded();  // a budget was used up

 private:
  std::shared_ptr<MetricsFamilies> families_;
  prometheus::Counter* retries_;
  prometheus::Counter* no_target_;
  prometheus::Counter* overloaded_;
};

// One target of a service. Threads: any.
class TargetMetrics {
 public:
  TargetMetrics(std::shared_ptr<MetricsFamilies> families, const std::string& service,
                const std::string& target);
  ~TargetMetrics();
  void connected();
  void connect_failed();
  void reused();
  void answered();  // a response came
  void failed();    // a request was sent and no whole response came
  void ejected();

 private:
  std::shared_ptr<MetricsFamilies> families_;
  prometheus::Counter* connections_;
  prometheus::Counter* connect_failures_;
  prometheus::Counter* reused_;
  prometheus::Counter* answered_;
  prometheus::Counter* failed_;
  prometheus::Counter* ejected_;
};

}  // namespace heddle::telemetry
