#include "proxy/telemetry/handles.h"

#include "proxy/telemetry/families.h"

namespace heddle::telemetry {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

}  // namespace

ListenerMetrics::ListenerMetrics(std::shared_ptr<MetricsFamilies> families,
                                 const std::string& listener)
    : families_(std::move(families)),
      connections_(&families_->connections.Add({{"listener", listener}})),
      rejected_(&families_->rejected.Add({{"listener", listener}})),
      active_(&families_->active.Add({{"listener", listener}})) {}

ListenerMetrics::~ListenerMetrics() {
  families_->connections.Remove(connections_);
  families_->rejected.Remove(rejected_);
  families_->active.Remove(active_);
}

void ListenerMetrics::opened() {
  connections_->Increment();
  active_->Increment();
}
void ListenerMetrics::closed() {
  active_->Decrement();
}
void ListenerMetrics::rejected() {
  rejected_->Increment();
}

RequestMetrics::RequestMetrics(std::shared_ptr<MetricsFamilies> families, std::string listener,
                               std::string service)
    : families_(std::move(families)),
      listener_(std::move(listener)),
      service_(std::move(service)),
      duration_(
          &families_->durations.Add({{"listener", listener_}, {"service", service_}}, kSeconds)) {}

RequestMetrics::~RequestMetrics() {
  for (auto& counter : by_status_) {
    if (counter.load()) families_->requests.Remove(counter.load());
  }
  if (tcp_received_.load()) families_->tcp_bytes.Remove(tcp_received_.load());
  if (tcp_sent_.load()) families_->tcp_bytes.Remove(tcp_sent_.load());
  families_->durations.Remove(duration_);
}

// Adding the same labels twice gives the same counter, so two cores may both be first.
prometheus::Counter& RequestMetrics::by_status(int status) {
  const int known = status >= 100 && status <= 599 ? status : 599;
  auto& slot = by_status_[static_cast<std::size_t>(known - 100)];
  prometheus::Counter* counter = slot.load(std::memory_order_acquire);
  if (!counter) {
    counter = &families_->requests.Add(
        {{"listener", listener_}, {"service", service_}, {"code", std::to_string(known)}});
    slot.store(counter, std::memory_order_release);
  }
  return *counter;
}

void RequestMetrics::finished(int status, std::chrono::nanoseconds duration) {
  by_status(status).Increment();
  duration_->Observe(std::chrono::duration<double>(duration).count());
}

void RequestMetrics::tcp_finished(std::uint64_t received_bytes, std::uint64_t sent_bytes) {
  const auto count = [&](auto& slot, const char* direction, std::uint64_t bytes) {
    prometheus::Counter* counter = slot.load(std::memory_order_acquire);
    if (!counter) {
      counter = &families_->tcp_bytes.Add(
          {{"listener", listener_}, {"service", service_}, {"direction", direction}});
      slot.store(counter, std::memory_order_release);
    }
    counter->Increment(static_cast<double>(bytes));
  };
  count(tcp_received_, "received", received_bytes);
  count(tcp_sent_, "sent", sent_bytes);
}

ServiceMetrics::ServiceMetrics(std::shared_ptr<MetricsFamilies> families,
                               const std::string& service)
    : families_(std::move(families)),
      retries_(&families_->retries.Add({{"service", service}})),
      no_target_(&families_->no_target.Add({{"service", service}})),
      overloaded_(&families_->overloaded.Add({{"service", service}})) {}

ServiceMetrics::~ServiceMetrics() {
  families_->retries.Remove(retries_);
  families_->no_target.Remove(no_target_);
  families_->overloaded.Remove(overloaded_);
}

void ServiceMetrics::retried() {
  retries_->Increment();
}
void ServiceMetrics::overloaded() {
  overloaded_->Increment();
}
void ServiceMetrics::no_target() {
  no_target_->Increment();
}

TargetMetrics::TargetMetrics(std::shared_ptr<MetricsFamilies> families, const std::string& service,
                             const std::string& target)
    : families_(std::move(families)) {
  const prometheus::Labels labels{{"service", service}, {"target", target}};
  connections_ = &families_->upstream_connections.Add(labels);
  connect_failures_ = &families_->upstream_connect_failures.Add(labels);
  reused_ = &families_->upstream_reused.Add(labels);
  ejected_ = &families_->upstream_ejections.Add(labels);
  answered_ = &families_->upstream_requests.Add(
      {{"service", service}, {"target", target}, {"result", "answered"}});
  failed_ = &families_->upstream_requests.Add(
      {{"service", service}, {"target", target}, {"result", "failed"}});
}

TargetMetrics::~TargetMetrics() {
  families_->upstream_connections.Remove(connections_);
  families_->upstream_connect_failures.Remove(connect_failures_);
  families_->upstream_reused.Remove(reused_);
  families_->upstream_requests.Remove(answered_);
  families_->upstream_requests.Remove(failed_);
  families_->upstream_ejections.Remove(ejected_);
}

void TargetMetrics::connected() {
  connections_->Increment();
}
void TargetMetrics::connect_failed() {
  connect_failures_->Increment();
}
void TargetMetrics::reused() {
  reused_->Increment();
}
void TargetMetrics::answered() {
  answered_->Increment();
}
void TargetMetrics::ejected() {
  ejected_->Increment();
}
void TargetMetrics::failed() {
  failed_->Increment();
}

}  // namespace heddle::telemetry
