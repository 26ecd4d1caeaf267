#include "proxy/listener/http_session.h"

#include <algorithm>

#include "proxy/http/serialize.h"
#include "proxy/listener/exchange.h"
#include "proxy/listener/http2_session.h"
#include "proxy/listener/local_answer.h"
#include "proxy/listener/refused.h"

namespace heddle::listener {

Task<> HttpSession::run() {
  while (true) {
    const Head head = co_await read_head();
    if (head == Head::closed) co_return;
    if (head == Head::http2) {
      Http2Session session(ingress_, client_, way_);
      co_await session.run();
      co_return;
    }
    first_ = false;
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
    const auto preface = first_ ? http2::match_preface(client_.in.view()) : http2::Preface::no;
    if (preface == http2::Preface::yes) co_return Head::http2;
    const auto scanned = preface == http2::Preface::begun
                             ? std::expected<std::optional<std::size_t>, http::Refusal>()
                             : scanner_.scan(client_.in.view(), limits);
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
  record_refusal(ingress_, client_.address, refusal, scratch_.to_client.size());
  const io::Pieces bytes{scratch_.to_client};
  (void)co_await client_.stream.write_all(bytes, after(ingress_.core.settings.linger));
}

}  // namespace heddle::listener
