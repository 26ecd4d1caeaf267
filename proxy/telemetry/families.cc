#include "proxy/telemetry/families.h"

namespace heddle::telemetry {

MetricsFamilies::Counters& MetricsFamilies::counter(const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

MetricsFamilies::Gauges& MetricsFamilies::gauge(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

MetricsFamilies::MetricsFamilies()
    : requests(counter("heddle_proxy_requests_total", "HTTP requests answered")),
      durations(prometheus::BuildHistogram()
                    .Name("heddle_proxy_request_duration_seconds")
                    .Help("From the first byte of a request to the last of its response")
                    .Register(registry)),
      tcp_bytes(counter("heddle_proxy_tcp_bytes_total",
                        "Bytes of relayed connections and tunnels, by the client's direction")),
      connections(counter("heddle_proxy_connections_total", "Client connections accepted")),
      active(gauge("heddle_proxy_active_connections", "Client connections open now")),
      rejected(counter("heddle_proxy_connections_rejected_total",
                       "Client connections closed because the connection limit was reached")),
      refused(counter("heddle_proxy_refused_requests_total",
                      "Requests refused before they reached a target, by class")),
      retries(counter("heddle_proxy_retries_total", "Requests sent again to another connection")),
      no_target(counter("heddle_proxy_no_target_total", "Requests that found no ready target")),
      overloaded(counter("heddle_proxy_overloaded_total",
                         "Requests and connections turned away because a limit was reached")),
      upstream_connections(
          counter("heddle_proxy_upstream_connections_total", "Connections opened to targets")),
      upstream_connect_failures(counter("heddle_proxy_upstream_connect_failures_total",
                                        "Connections to targets that failed or timed out")),
      upstream_reused(counter("heddle_proxy_upstream_reused_total",
                              "Requests that went over a kept-alive connection")),
      upstream_requests(counter("heddle_proxy_upstream_requests_total",
                                "Requests sent to targets, by result: answered or failed")),
      upstream_ejections(counter("heddle_proxy_upstream_ejections_total",
                                 "Times that a target was left out because its answers failed")),
      revision(gauge("heddle_proxy_config_revision", "Revision of the configuration in force")),
      rejected_configs(counter("heddle_proxy_config_rejected_total",
                               "Configuration messages that were refused")),
      control_connected(
          gauge("heddle_proxy_control_connected", "1 while the control stream is up")),
      access_log_dropped(gauge("heddle_proxy_access_log_dropped_lines",
                               "Access log lines dropped because the log was too slow")),
      build_info(gauge("heddle_proxy_build_info", "Always 1; the version is a label")) {}

}  // namespace heddle::telemetry
