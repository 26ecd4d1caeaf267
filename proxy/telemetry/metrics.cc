#include "proxy/telemetry/metrics.h"

#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>

#include "proxy/telemetry/families.h"

namespace heddle::telemetry {
namespace {

// Handles by label; expired ones are swept when the map doubled since the last sweep.
template <class Handle>
class Shared {
 public:
  template <class Make>
  std::shared_ptr<Handle> get(const std::string& key, Make make) {
    const std::lock_guard lock(mutex_);
    auto& slot = handles_[key];
    if (auto held = slot.lock()) return held;
    std::shared_ptr<Handle> made = make();
    slot = made;
    if (handles_.size() > sweep_at_) {
      std::erase_if(handles_, [](const auto& entry) { return entry.second.expired(); });
      sweep_at_ = 2 * handles_.size() + 64;
    }
    return made;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Handle>> handles_;
  std::size_t sweep_at_ = 64;
};

}  // namespace

struct Metrics::Registry {
  std::shared_ptr<MetricsFamilies> families = std::make_shared<MetricsFamilies>();
  Shared<ListenerMetrics> listeners;
  Shared<RequestMetrics> requests;
  Shared<ServiceMetrics> services;
  Shared<TargetMetrics> targets;
};

Metrics::Metrics(std::string_view version) : registry_(std::make_shared<Registry>()) {
  auto& families = *registry_->families;
  families.build_info.Add({{"version", std::string(version)}}).Set(1);
  families.revision.Add({}).Set(0);
  families.control_connected.Add({}).Set(0);
  families.rejected_configs.Add({});
}

Metrics::~Metrics() = default;

std::shared_ptr<ListenerMetrics> Metrics::listener(const std::string& listener) {
  return registry_->listeners.get(
      listener, [&] { return std::make_shared<ListenerMetrics>(registry_->families, listener); });
}

std::shared_ptr<RequestMetrics> Metrics::requests(const std::string& listener,
                                                  const std::string& service) {
  return registry_->requests.get(listener + '\0' + service, [&] {
    return std::make_shared<RequestMetrics>(registry_->families, listener, service);
  });
}

std::shared_ptr<ServiceMetrics> Metrics::service(const std::string& service) {
  return registry_->services.get(
      service, [&] { return std::make_shared<ServiceMetrics>(registry_->families, service); });
}

std::shared_ptr<TargetMetrics> Metrics::target(const std::string& service,
                                               const std::string& target) {
  return registry_->targets.get(service + '\0' + target, [&] {
    return std::make_shared<TargetMetrics>(registry_->families, service, target);
  });
}

void Metrics::count_refused(std::string_view reason) {
  registry_->families->refused.Add({{"class", std::string(reason)}}).Increment();
}
void Metrics::set_revision(std::uint64_t revision) {
  registry_->families->revision.Add({}).Set(static_cast<double>(revision));
}
void Metrics::count_rejected_config() {
  registry_->families->rejected_configs.Add({}).Increment();
}
void Metrics::set_control_connected(int connected) {
  registry_->families->control_connected.Add({}).Set(connected);
}
void Metrics::set_access_log_dropped(std::uint64_t lines) {
  registry_->families->access_log_dropped.Add({}).Set(static_cast<double>(lines));
}

std::string Metrics::format() const {
  return prometheus::TextSerializer().Serialize(registry_->families->registry.Collect());
}

}  // namespace heddle::telemetry
