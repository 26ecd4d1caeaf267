#include "proxy/listener/http1_client.h"

#include <utility>

namespace heddle::listener {
namespace {

constexpr std::size_t kBodyRead = 16 << 10;
constexpr std::size_t kCopiedPiece = 4 << 10;  // smaller ones are gathered
constexpr std::size_t kGathered = 16 << 10;

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

Http1Client::Http1Client(Ingress& ingress, Client& client, HttpScratch& scratch)
    : ingress_(ingress), client_(client), request_(scratch.request), to_client_(scratch.to_client) {
  to_client_.clear();
  const http::Framing& body = request_.body;
  if (body.kind == http::BodyKind::length && client_.in.size() >= body.length) {
    inline_body_ = client_.in.view().substr(0, static_cast<std::size_t>(body.length));
  } else if (body.kind != http::BodyKind::none) {
    streams_body_ = true;
    decoder_ = http::BodyDecoder(body, ingress.core.settings.limits);
  }
}

After Http1Client::end() {
  if (!inline_body_.empty()) client_.in.consume(inline_body_.size());
  return after_;
}

// A drain ends the connection with its last request: those that the client sent at once, without
// waiting for answers, are all served.
bool Http1Client::stays() const {
  if (!request_.keep_alive || body_is_pending()) return false;
  if (!client_.draining) return true;
  return !streams_body_ && (client_.in.size() > inline_body_.size() || client_.stream.has_unread());
}

Result<io::BodyPiece> Http1Client::peek_body() {
  while (!client_.in.empty() && !decoder_.done()) {
    const auto piece = decoder_.next(client_.in.view());
    if (!piece) {
      refusal_ = piece.error();
      return fail(Errc::invalid, std::string(http::name_of(*refusal_)));
    }
    if (!piece->data.empty()) {
      piece_consumed_ = piece->consumed;
      return io::BodyPiece{piece->data, false};
    }
    client_.in.consume(piece->consumed);
  }
  body_ended_ = decoder_.done();
  return io::BodyPiece{{}, body_ended_};
}

void Http1Client::take_body(std::size_t) {
  client_.in.consume(std::exchange(piece_consumed_, 0));
}

Task<Result<>> Http1Client::wait_body(Deadline deadline) {
  const auto n = co_await client_.stream.read_some(client_.in, kBodyRead, deadline);
  if (!n) co_return std::unexpected(n.error());
  if (*n == 0) co_return fail(Errc::unavailable, "the client closed the connection");
  co_return Result<>();
}

void Http1Client::stop_body() {
  if (!body_is_pending()) return;
  body_unread_ = true;
  if (after_ == After::keep) after_ = After::close;
  client_.stream.stop_reading();
}

Task<bool> Http1Client::send_interim(const http::ResponseHead& head) {
  const bool wanted = request_.version == http::Version::http11 &&
                      (head.status != 100 || request_.expects_continue);
  if (!wanted) co_return true;
  to_client_.clear();
  http::append_interim(to_client_, head);
  const io::Pieces bytes{to_client_};
  const auto written = co_await client_.stream.write_all(bytes, after(ingress_.idle_timeout()));
  bytes_out_ += to_client_.size();
  to_client_.clear();
  co_return written.has_value();
}

void Http1Client::begin(const http::ResponseHead& head) {
  to_client_.clear();
  if (head.status == 101) {
    http::append_response(to_client_, head, {});
    after_ = After::closed;
    return;
  }
  kind_ = kind_for_client(request_, head);
  const bool keep = stays() && kind_ != http::BodyKind::until_close;
  http::ResponseEdit edit;
  edit.body = {kind_, head.body.length};
  edit.close = !keep;
  edit.keep_alive = keep && request_.version == http::Version::http10;
  http::append_response(to_client_, head, edit);
  after_ = keep ? After::keep : After::close;
}

Task<bool> Http1Client::send(std::string_view data) {
  const bool chunked = kind_ == http::BodyKind::chunked;
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

Task<bool> Http1Client::flush() {
  if (to_client_.empty()) co_return true;
  const io::Pieces pieces{to_client_};
  bytes_out_ += pieces.size();
  head_sent_ = true;
  const auto written = co_await client_.stream.write_all(pieces, after(ingress_.idle_timeout()));
  to_client_.clear();
  if (!written) after_ = After::closed;
  co_return written.has_value();
}

Task<bool> Http1Client::finish(std::string_view trailers) {
  if (kind_ == http::BodyKind::chunked) to_client_.append("0\r\n").append(trailers).append("\r\n");
  return flush();
}

Task<> Http1Client::answer(http::LocalResponse& response) {
  if (body_is_pending()) body_unread_ = true;
  const bool keep = stays();
  response.close = !keep;
  response.to_head = request_.is_head();
  to_client_.clear();
  http::append_local(to_client_, response);
  after_ = keep ? After::keep : After::close;
  (void)co_await flush();
}

void Http1Client::cut() {
  after_ = After::closed;
  if (kind_ == http::BodyKind::until_close) {
    client_.stream.reset();
  } else {
    client_.stream.close();
  }
}

void Http1Client::abandon() {
  after_ = After::closed;
  client_.stream.close();
}

}  // namespace heddle::listener
