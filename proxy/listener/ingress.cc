#include "proxy/listener/ingress.h"

namespace heddle::listener {
namespace {

constexpr std::size_t kMostServices = 256;

}  // namespace

telemetry::RequestMetrics& Ingress::requests_of(const std::string& service) {
  if (requests.size() > kMostServices) requests.clear();
  auto& slot = requests[service];
  if (!slot) slot = core.metrics.requests(config->name, service);
  return *slot;
}

}  // namespace heddle::listener
