// The way back of an exchange: from the target's first byte to the client's last.
#include "proxy/listener/exchange.h"
#include "proxy/listener/relay.h"

namespace heddle::listener {

Task<Exchange::Step> Exchange::relay_response(upstream::Group& group, upstream::Lease& lease) {
  edit_response(group, lease.target());
  client_.begin(response_);
  if (body_.started()) body_.relax(stream_idle());
  const Failure failure = co_await relay_body(lease.stream());
  if (failure == Failure::none) {
    whole_response_ = true;
    co_return Step::finished;
  }
  if (failure != Failure::client_closed) {
    lease.target().metrics().failed();
    if (!client_.answer_begun()) co_return co_await fail(failure);
  }
  // The client must not take what it got for the whole; the status stays what was sent.
  failure_ = failure;
  client_.cut();
  co_return Step::finished;
}

Task<Failure> Exchange::relay_body(upstream::TargetStream& target) {
  while (true) {
    const auto piece = target.peek_body();
    if (!piece) co_return Failure::bad_response;
    if (!piece->data.empty()) {
      const bool sent = co_await client_.send(piece->data);
      if (!sent) co_return Failure::client_closed;
      target.take_body(piece->data.size());
    }
    if (piece->last) break;
    if (!piece->data.empty()) continue;
    const bool flushed = co_await client_.flush();
    if (!flushed) co_return Failure::client_closed;
    const auto came = co_await target.wait_body(after(stream_idle()));
    if (!came) co_return client_.gone() ? Failure::client_closed : Failure::response_cut;
  }
  const bool finished = co_await client_.finish(target.trailers());
  co_return finished ? Failure::none : Failure::client_closed;
}

Task<Exchange::Step> Exchange::tunnel(upstream::Lease& lease) {
  client_.begin(response_);
  const bool begun = co_await client_.flush();
  if (begun) {
    const RelayEnd target{lease.connection().stream, lease.connection().in};
    const RelayCount count = co_await relay(*client_.raw(), target, ingress_.tunnel_idle());
    ingress_.requests_of(service_).tcp_finished(count.from_client, count.from_target);
    tunneled_ = count.from_target;
  }
  co_return Step::finished;
}

}  // namespace heddle::listener
