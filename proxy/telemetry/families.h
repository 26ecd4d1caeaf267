#pragma once
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace heddle::telemetry {

// Every metric of the proxy, declared once. Internal to this folder.
struct MetricsFamilies {
  using Counters = prometheus::Family<prometheus::Counter>;
  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  MetricsFamilies();
  Counters& counter(const char* name, const char* help);
  Gauges& gauge(const char* name, const char* help);

  prometheus::Registry registry;
  Counters& requests;
  Histograms& durations;
  Counters& tcp_bytes;
  Counters& connections;
  Gauges& active;
  Counters& rejected;
  Counters& refused;
  Counters& retries;
  Counters& no_target;
  Counters& overloaded;
  Counters& upstream_connections;
  Counters& upstream_connect_failures;
  Counters& upstream_reused;
  Counters& upstream_requests;
  Counters& upstream_ejections;
  Gauges& revision;
  Counters& rejected_configs;
  Gauges& control_connected;
  Gauges& access_log_dropped;
  Gauges& build_info;
};

}  // namespace heddle::telemetry
