#include "proxy/listener/http_session.h"

#include <algorithm>

#include "proxy/http/serialize.h"
#include "proxy/listener/exchange.h"
#include "proxy/listener/local_answer.h"

namespace heddle::listener {

Task<> HttpSession::run() {
  while (true) {
    const Head head = co_await read_head();
    if (head == Head::closed) co_return;
    if (head == Head::refused) break;
    Http1Client stream(ingress_, client_, scratch_);
    Exchange exchange(ingress_, stream, way_, exchange_scratch_);
    co_await exchange.run();
    const After next = stream.end();
    if (next == After::closed) co_return;
    if (next == After::close) {
      // Nothing unread: closing does not turn into a reset.
      if (client_.in.empty() && !stream.body_unread()) {
        client_.stream.shutdown_send();
        co_return;
      }
      break;
    }
  }
  co_await linger(client_, ingress_.core.settings.linger);
}

Task<HttpSession::Head> HttpSession::read_head() {
  const http::Limits& limits = ingress_.core.settings.limits;
  scanner_.reset();
  Deadline head_deadline = Deadline::max();
  while (true) {
    const auto scanned = scanner_.scan(client_.in.view(), limits);
    if (!scanned) {
      co_await refuse(scanned.error());
      co_return Head::refused;
    }
    if (*scanned) {
      const auto refusal =
          http::parse_request(client_.in.view().substr(0, **scanned), limits, scratch_.request);
      client_.in.consume(**scanned);
      if (!refusal) co_return Head::ready;
      co_await refuse(*refusal);
      co_return Head::refused;
    }
    const bool begun = !client_.in.empty();
    if (begun && head_deadline == Deadline::max()) head_deadline = after(ingress_.header_timeout());
    client_.waiting = !begun;
    const auto n = co_await client_.stream.read_some(client_.in, 1024,
                                                     begun ? head_deadline : next_request_by());
    client_.waiting = false;
    if (!n && n.error().code() == Errc::timeout) {
      if (begun) {
        co_await refuse(http::Refusal::header_timeout);
        co_return Head::refused;
      }
      if (client_.stream.has_unread()) continue;  // it came just now
    }
    if (!n || *n == 0) co_return Head::closed;
  }
}

Deadline HttpSession::next_request_by() const {
  return std::min(after(ingress_.idle_timeout()), client_.quiet_until);
}

Task<> HttpSession::refuse(http::Refusal refusal) {
  const int status = http::status_of(refusal);
  const std::string body = error_body(http::name_of(refusal), http::text_of(refusal));
  http::LocalResponse response{.status = status,
                               .content_type = kErrorType,
                               .body = body,
                               .location = {},
                               .close = true,
                               .to_head = false};
  scratch_.to_client.clear();
  http::append_local(scratch_.to_client, response);
  ingress_.core.metrics.count_refused(http::name_of(refusal));
  ingress_.requests_of("").finished(status, {});
  if (ingress_.core.access_log.wants(status)) {
    telemetry::AccessRecord record;
    record.at = std::chrono::system_clock::now();
    record.kind = "http";
    record.listener = ingress_.config->name;
    record.client = client_.address;
    record.status = status;
    record.reason = http::name_of(refusal);
    record.bytes_out = scratch_.to_client.size();
    ingress_.core.access_log.write(record);
  }
  const io::Pieces bytes{scratch_.to_client};
  (void)co_await client_.stream.write_all(bytes, after(ingress_.core.settings.linger));
}

}  // namespace heddle::listener
