#include "proxy/listener/http2_client.h"

#include "proxy/listener/local_answer.h"
#include "proxy/listener/refused.h"

namespace heddle::listener {

using http2::ErrorCode;

Http2Client::Http2Client(Ingress& ingress, Client& connection, http2::Session& session)
    : ingress_(ingress),
      connection_(connection),
      session_(session),
      came_(ingress.core.executor, ingress.core.deadlines),
      room_(ingress.core.executor, ingress.core.deadlines) {}

// A reset, or the end of the connection, has to reach the target.
void Http2Client::on_came() {
  if (is_over() && !finished_ && peer_) peer_->abort();
  came_.notify();
}

std::optional<http::Refusal> Http2Client::judge() {
  if (head_too_large()) return http::Refusal::head_too_large;
  const std::string text = std::move(heads().front());
  const auto refusal = http::parse_request(text, ingress_.core.settings.limits, request_);
  if (refusal) return refusal;
  if (request_.body.kind == http::BodyKind::none) return std::nullopt;
  whole_ = body_ended() && http2::Stream::trailers().empty();
  streams_ = !whole_;
  // Not chunked for the target if it need not be.
  if (whole_) request_.body = {http::BodyKind::length, body().size()};
  return std::nullopt;
}

Task<> Http2Client::refuse(http::Refusal refusal) {
  const std::string body = error_body(http::name_of(refusal), http::text_of(refusal));
  http::LocalResponse response;
  response.status = http::status_of(refusal);
  response.content_type = kErrorType;
  response.body = body;
  co_await answer(response);
  record_refusal(ingress_, connection_.address, refusal, bytes_out_);
}

Task<> Http2Client::finish_sending() {
  const Deadline deadline = after(ingress_.idle_timeout());
  while (!all_sent() && !gone()) {
    const bool in_time = co_await room_.wait(deadline);
    if (!in_time) break;
  }
  if (all_sent()) session_.reset(*this, ErrorCode::no_error);
}

Result<io::BodyPiece> Http2Client::peek_body() {
  if (!is_over() || body_ended()) return io::BodyPiece{body(), body_ended()};
  return fail(Errc::unavailable, "the client reset the stream");
}

Task<Result<>> Http2Client::wait_body(Deadline deadline) {
  if (body_stopped_) co_return fail(Errc::cancelled, "the body is not wanted any more");
  const bool in_time = co_await came_.wait(deadline);
  if (body_stopped_) co_return fail(Errc::cancelled, "the body is not wanted any more");
  if (!in_time) co_return fail(Errc::timeout, "the body did not come in time");
  co_return Result<>();
}

void Http2Client::stop_body() {
  body_stopped_ = true;
  came_.notify();
}

Task<bool> Http2Client::send_interim(const http::ResponseHead& head) {
  if (head.status == 100 && !request_.expects_continue) co_return true;
  http2::FieldBlock block;
  http2::append_response(block, head);
  session_.respond_interim(*this, block);
  co_return !gone();
}

void Http2Client::begin(const http::ResponseHead& head) {
  head_.clear();
  http2::append_response(head_, head);
  // Then the head ends the stream: gRPC tells a status without messages by that.
  bodiless_ = head.body.kind == http::BodyKind::none ||
              head.body == http::Framing{http::BodyKind::length, 0};
}

void Http2Client::commit_head(http2::Session::Body body) {
  if (begun_) return;
  begun_ = true;
  session_.respond(*this, head_, body);
}

Task<bool> Http2Client::flush() {
  if (!bodiless_) commit_head(http2::Session::Body::follows);
  co_return !gone();
}

Task<bool> Http2Client::send(std::string_view data) {
  commit_head(http2::Session::Body::follows);
  const Deadline deadline = after(ingress_.idle_timeout());
  bytes_out_ += data.size();
  while (true) {
    data.remove_prefix(session_.write(*this, data));
    if (gone()) co_return false;
    if (data.empty()) co_return true;
    // Too slow a reader, or one that opens no window, is given up.
    const bool in_time = co_await room_.wait(deadline);
    if (!in_time) co_return false;
  }
}

Task<bool> Http2Client::finish(std::string_view trailers) {
  finished_ = true;
  if (bodiless_) {
    commit_head(http2::Session::Body::none);
  } else {
    commit_head(http2::Session::Body::follows);
    session_.end(*this, trailers);
  }
  co_return !gone();
}

Task<> Http2Client::answer(http::LocalResponse& response) {
  head_.clear();
  http2::append_local(head_, response);
  bodiless_ = request_.is_head() || response.body.empty() || response.status == 204 ||
              response.status == 304;
  if (!bodiless_) {
    const bool sent = co_await send(response.body);
    if (!sent) co_return;
  }
  (void)co_await finish({});
}

void Http2Client::cut() {
  session_.reset(*this, ErrorCode::internal_error);
}

void Http2Client::abandon() {
  session_.reset(*this, ErrorCode::cancel);
}

}  // namespace heddle::listener
