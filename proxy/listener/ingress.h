#pragma once
#include <memory>
#include <string>
#include <unordered_map>

#include "proxy/listener/core.h"
#include "proxy/route/table.h"

namespace heddle::listener {

// One listener on one core, as the connections that came in by it see it. Its configuration may be
// replaced between two requests. Threads: the core's.
struct Ingress {
  Ingress(Core& core_in, std::shared_ptr<const route::Table> table_in)
      : core(core_in),
        table(std::move(table_in)),
        config(table, &table->listener()),
        metrics(core.metrics.listener(config->name)) {}

  void update(std::shared_ptr<const route::Table> next) {
    table = std::move(next);
    config = {table, &table->listener()};
  }

  Core& core;
  std::shared_ptr<const route::Table> table;
  std::shared_ptr<const snapshot::Listener> config;  // the table's
  std::shared_ptr<telemetry::ListenerMetrics> metrics;
  // Requests by service; small, and emptied when services change too often.
  std::unordered_map<std::string, std::shared_ptr<telemetry::RequestMetrics>> requests;

  telemetry::RequestMetrics& requests_of(const std::string& service);
  std::chrono::milliseconds idle_timeout() const {
    return config->idle_timeout.value_or(core.settings.idle_timeout);
  }
  std::chrono::milliseconds header_timeout() const {
    return config->header_timeout.value_or(core.settings.header_timeout);
  }
  std::chrono::milliseconds tunnel_idle() const {
    return config->idle_timeout.value_or(core.settings.tunnel_idle);
  }
};

}  // namespace heddle::listener
