// The way back of an exchange: from the target's first byte to the client's last.
#include <algorithm>

#include "proxy/http/head_scanner.h"
#include "proxy/listener/exchange.h"
#include "proxy/listener/relay.h"

namespace heddle::listener {
namespace {

constexpr std::size_t kCopiedPiece = 4 << 10;  // smaller ones are gathered
constexpr std::size_t kGathered = 16 << 10;
constexpr std::size_t kReadBytes = 16 << 10;  // to begin with; more once reads fill it
constexpr std::size_t kMostReadBytes = 128 << 10;

http::BodyKind kind_for_client(const http::RequestHead& request, const http::ResponseHead& head) {
  switch (head.body.kind) {
    case http::BodyKind::chunked:
    case http::BodyKind::until_close:
      return request.version == http::Version::http11 ? http::BodyKind::chunked
                                                      : http::BodyKind::until_close;
    default:
      return head.body.kind;
  }
}

}  // namespace

Task<Result<>> Exchange::read_response_head(upstream::Lease& lease, Deadline deadline) {
  upstream::Connection& connection = lease.connection();
  const http::Limits& limits = core_.settings.limits;
  http::HeadScanner scanner;
  while (true) {
    const auto scanned = scanner.scan(connection.in.view(), limits);
    if (!scanned) co_return heddle::fail(Errc::invalid, std::string(name_of(scanned.error())));
    if (*scanned) {
      const http::ResponseContext context{.to_head = request_.is_head()};
      const auto refusal = http::parse_response(connection.in.view().substr(0, **scanned), limits,
                                                context, response_);
      connection.in.consume(**scanned);
      if (refusal) co_return heddle::fail(Errc::invalid, std::string(name_of(*refusal)));
      co_return Result<>();
    }
    const auto n = co_await connection.stream.read_some(connection.in, 4096, deadline);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) co_return heddle::fail(Errc::unavailable, "the target closed the connection");
    response_begun_ = true;
  }
}

Task<Result<>> Exchange::pass_interim() {
  const bool wanted = request_.version == http::Version::http11 &&
                      (response_.status != 100 || request_.expects_continue);
  if (!wanted) co_return Result<>();
  to_client_.clear();
  http::append_interim(to_client_, response_);
  const io::Pieces bytes{to_client_};
  const auto written = co_await client_.stream.write_all(bytes, after(ingress_.idle_timeout()));
  bytes_out_ += to_client_.size();
  to_client_.clear();
  co_return written;
}

Task<Exchange::Step> Exchange::relay_response(upstream::Lease& lease) {
  const http::BodyKind to_client = kind_for_client(request_, response_);
  const bool keep = client_stays() && to_client != http::BodyKind::until_close;
  http::ResponseEdit edit;
  edit.body = {to_client, response_.body.length};
  edit.close = !keep;
  edit.keep_alive = keep && request_.version == http::Version::http10;
  to_client_.clear();
  http::append_response(to_client_, response_, edit);
  after_ = keep ? After::keep : After::close;

  const Failure failure = co_await relay_body(lease, to_client);
  if (failure == Failure::none) {
    reusable_ = response_.reusable && lease.connection().in.empty();
    co_return Step::finished;
  }
  if (failure != Failure::client_closed) {
    lease.target().metrics().failed();
    if (!head_sent_) co_return co_await fail(failure);
  }
  // The client must not take what it got for the whole; the status stays what was sent.
  failure_ = failure;
  after_ = After::closed;
  if (to_client == http::BodyKind::until_close) {
    client_.stream.reset();
  } else {
    client_.stream.close();
  }
  co_return Step::finished;
}

Task<Failure> Exchange::relay_body(upstream::Lease& lease, http::BodyKind to_client) {
  upstream::Connection& connection = lease.connection();
  http::BodyDecoder decoder(response_.body, core_.settings.limits);
  std::size_t room = kReadBytes;
  while (true) {
    while (!connection.in.empty() && !decoder.done()) {
      const auto piece = decoder.next(connection.in.view());
      if (!piece) co_return Failure::bad_response;
      if (!piece->data.empty() && !co_await pass(piece->data, to_client)) {
        co_return Failure::client_closed;
      }
      connection.in.consume(piece->consumed);
    }
    if (decoder.done()) break;
    if (!co_await flush()) co_return Failure::client_closed;
    const auto n =
        co_await connection.stream.read_some(connection.in, room, after(ingress_.idle_timeout()));
    if (!n) {
      co_return client_.stream.aborted() ? Failure::client_closed : Failure::response_cut;
    }
    if (*n >= room) room = std::min(room * 2, kMostReadBytes);
    if (*n > 0) continue;
    if (!decoder.finish_at_close()) co_return Failure::response_cut;
    break;
  }
  if (to_client == http::BodyKind::chunked) {
    to_client_.append("0\r\n").append(decoder.trailers()).append("\r\n");
  }
  co_return co_await flush() ? Failure::none : Failure::client_closed;
}

Task<bool> Exchange::pass(std::string_view data, http::BodyKind to_client) {
  const bool chunked = to_client == http::BodyKind::chunked;
  if (chunked) http::append_chunk_size(to_client_, data.size());
  if (data.size() <= kCopiedPiece) {
    to_client_.append(data);
    if (chunked) to_client_.append("\r\n");
    if (to_client_.size() < kGathered) co_return true;
    co_return co_await flush();
  }
  const io::Pieces pieces{to_client_, data, chunked ? std::string_view("\r\n") : ""};
  bytes_out_ += pieces.size();
  head_sent_ = true;
  const auto written = co_await client_.stream.write_all(pieces, after(ingress_.idle_timeout()));
  to_client_.clear();
  co_return written.has_value();
}

Task<bool> Exchange::flush() {
  if (to_client_.empty()) co_return true;
  const io::Pieces pieces{to_client_};
  bytes_out_ += pieces.size();
  head_sent_ = true;
  const auto written = co_await client_.stream.write_all(pieces, after(ingress_.idle_timeout()));
  to_client_.clear();
  if (!written) after_ = After::closed;
  co_return written.has_value();
}

Task<Exchange::Step> Exchange::tunnel(upstream::Lease& lease) {
  to_client_.clear();
  http::append_response(to_client_, response_, {});
  after_ = After::closed;
  if (co_await flush()) {
    const RelayEnd client{client_.stream, client_.in};
    const RelayEnd target{lease.connection().stream, lease.connection().in};
    const RelayCount count = co_await relay(client, target, ingress_.tunnel_idle());
    ingress_.requests_of(service_).tcp_finished(count.from_client, count.from_target);
    bytes_out_ += count.from_target;
  }
  co_return Step::finished;
}

}  // namespace heddle::listener
