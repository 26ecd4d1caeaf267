#include "proxy/listener/http2_session.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/observe/log.h"
#include "proxy/listener/exchange.h"

namespace heddle::listener {

Http2Session::Http2Session(Ingress& ingress, Client& client, const Way& way)
    : ingress_(ingress),
      client_(client),
      way_(way),
      session_(http2::Session::Role::server, ingress.core.settings.http2, *this),
      transport_(session_, client.stream, client.in, ingress.core.executor, ingress.core.deadlines),
      tasks_(ingress.core.executor),
      quiet_since_(std::chrono::steady_clock::now()) {
  client_.drainable = this;
}

Http2Session::~Http2Session() {
  client_.drainable = nullptr;
}

Task<> Http2Session::run() {
  tasks_.spawn(transport_.write_loop(ingress_.idle_timeout()));
  if (client_.draining) drain();
  co_await read_all();
  // Requests that are still under way have lost their client.
  session_.abandon(false);
  transport_.finish();
  co_await tasks_.join();
  co_await linger(client_, ingress_.core.settings.linger);
}

Task<> Http2Session::read_all() {
  Result<> fed = transport_.feed();
  while (session_.wants_input()) {
    if (!fed) {
      if (fed.error().code() == Errc::timeout && !give_up()) {
        fed = Result<>();
        continue;
      }
      if (fed.error().code() == Errc::invalid) {
        log_debug("http2.broken", {{"client", client_.address}, {"error", fed.error()}});
        ingress_.core.metrics.count_refused("http2_connection_error");
      }
      co_return;
    }
    if (!session_.is_in_head()) {
      head_since_ = Deadline::max();
    } else if (head_since_ == Deadline::max() || head_ != session_.heads()) {
      head_ = session_.heads();
      head_since_ = std::chrono::steady_clock::now();
    }
    fed = co_await transport_.read(read_by());
  }
}

// Not extended by what costs nothing to send: only by requests.
Deadline Http2Session::read_by() const {
  if (shutting_down_ && under_way_ == 0) return quiet_since_;
  Deadline by = Deadline::max();
  if (head_since_ != Deadline::max()) by = head_since_ + ingress_.header_timeout();
  if (under_way_ == 0) by = std::min(by, quiet_since_ + ingress_.idle_timeout());
  if (client_.draining && !shutting_down_) by = std::min(by, client_.quiet_until);
  return by;
}

bool Http2Session::give_up() {
  const Deadline now = std::chrono::steady_clock::now();
  if (now < read_by()) return false;
  if (head_since_ != Deadline::max() && now >= head_since_ + ingress_.header_timeout()) {
    ingress_.core.metrics.count_refused("http2_header_timeout");
    session_.terminate(http2::ErrorCode::enhance_your_calm);
    return true;
  }
  if (!shutting_down_) {
    shutting_down_ = true;
    session_.shutdown();
  }
  return under_way_ == 0;
}

Task<> Http2Session::serve(std::unique_ptr<Http2Client> stream) {
  co_await asio::this_coro::throw_if_cancelled(false);
  // A task begins at once, within the session's callback. What came together with the head, perhaps
  // the whole body, is to be there first.
  co_await asio::post(ingress_.core.executor, asio::use_awaitable);
  if (const auto refusal = stream->judge()) {
    co_await stream->refuse(*refusal);
  } else {
    ExchangeScratch scratch;
    Exchange exchange(ingress_, *stream, way_, scratch);
    co_await exchange.run();
  }
  co_await stream->finish_sending();
  stream.reset();
  stream_ended();
}

void Http2Session::stream_ended() {
  if (--under_way_ > 0) return;
  quiet_since_ = std::chrono::steady_clock::now();
  client_.stream.expect_read_by(read_by());
}

std::unique_ptr<http2::Stream> Http2Session::make_stream() {
  if (under_way_ >= ingress_.core.settings.http2.streams) return nullptr;
  return std::make_unique<Http2Client>(ingress_, client_, session_);
}

void Http2Session::on_request(std::unique_ptr<http2::Stream> stream) {
  ++under_way_;
  std::unique_ptr<Http2Client> client(static_cast<Http2Client*>(stream.release()));
  tasks_.spawn(serve(std::move(client)));
}

void Http2Session::on_shutdown_read() {
  if (!client_.draining || shutting_down_) return;
  shutting_down_ = true;
  session_.shutdown();
}

void Http2Session::on_flood(http2::Flood flood) {
  ingress_.core.metrics.count_refused(http2::metric_of(flood));
}

void Http2Session::drain() {
  session_.announce_shutdown();
  client_.stream.expect_read_by(read_by());
}

}  // namespace heddle::listener
