#include "proxy/listener/refused.h"

namespace heddle::listener {

void record_refusal(Ingress& ingress, std::string_view client, http::Refusal refusal,
                    std::uint64_t bytes_out) {
  const int status = http::status_of(refusal);
  ingress.core.metrics.count_refused(http::name_of(refusal));
  ingress.requests_of("").finished(status, {});
  if (!ingress.core.access_log.wants(status)) return;
  telemetry::AccessRecord record;
  record.at = std::chrono::system_clock::now();
  record.kind = "http";
  record.listener = ingress.config->name;
  record.client = client;
  record.status = status;
  record.reason = http::name_of(refusal);
  record.bytes_out = bytes_out;
  ingress.core.access_log.write(record);
}

}  // namespace heddle::listener
