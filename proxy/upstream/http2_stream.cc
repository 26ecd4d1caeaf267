#include "proxy/upstream/http2_stream.h"

#include <algorithm>

namespace heddle::upstream {

using http2::ErrorCode;

Http2Stream::Http2Stream(std::shared_ptr<Http2Connection> connection,
                         asio::any_io_executor executor, io::DeadlineQueue& deadlines)
    : connection_(std::move(connection)), came_(executor, deadlines), room_(executor, deadlines) {
  ++connection_->users_;
}

Http2Stream::~Http2Stream() {
  std::erase(connection_->waiting_, this);
  // Before the connection counts it out: then the last one's RST_STREAM is still sent.
  if (!is_over() && id() > 0) connection_->session_.reset(*this, ErrorCode::cancel);
  connection_->stream_left();
}

void Http2Stream::on_came() {
  if (!heads().empty() || !body().empty()) begun_ = true;
  came_.notify();
}

void Http2Stream::abort() {
  aborted_ = true;
  connection_->session_.reset(*this, ErrorCode::cancel);
  came_.notify();
  room_.notify();
}

Error Http2Stream::lost() const {
  if (aborted_) return Error(Errc::cancelled, "the request was given up");
  switch (over().value_or(ErrorCode::internal_error)) {
    case ErrorCode::protocol_error:
      return Error(Errc::invalid, "the response is malformed");
    case ErrorCode::refused_stream:
      return Error(Errc::unavailable, "the target did not take the request");
    default:
      return Error(Errc::unavailable, "the target reset the stream or closed the connection");
  }
}

Task<Result<>> Http2Stream::wait_open(Deadline deadline) {
  while (!connection_->is_open()) {
    if (aborted_) co_return std::unexpected(lost());
    if (connection_->is_over()) {
      const auto& error = connection_->connect_error();
      co_return std::unexpected(error ? *error
                                      : Error(Errc::unavailable, "the connection closed at once"));
    }
    if (std::ranges::find(connection_->waiting_, this) == connection_->waiting_.end()) {
      connection_->waiting_.push_back(this);
    }
    const bool in_time = co_await came_.wait(deadline);
    if (!in_time) co_return fail(Errc::timeout, "connect: timed out");
  }
  co_return Result<>();
}

Task<Result<bool>> Http2Stream::send_request(Request request, Deadline deadline) {
  if (aborted_) co_return std::unexpected(lost());
  if (connection_->is_over()) co_return false;
  http2::FieldBlock head;
  http2::append_request(head, request.head, request.edit, "http");
  const bool has_body = request.more_body || !request.whole_body.empty();
  const auto body = has_body ? http2::Session::Body::follows : http2::Session::Body::none;
  if (!connection_->session_.open(*this, head, body)) {
    connection_->retire();
    co_return false;
  }
  if (request.whole_body.empty()) co_return true;
  const auto sent = co_await send_body(request.whole_body, deadline);
  if (!sent) co_return std::unexpected(sent.error());
  connection_->session_.end(*this, {});
  co_return true;
}

Task<Result<>> Http2Stream::send_body(std::string_view data, Deadline deadline) {
  while (true) {
    if (aborted_ || is_over()) co_return std::unexpected(lost());
    data.remove_prefix(connection_->session_.write(*this, data));
    if (data.empty()) co_return Result<>();
    const bool in_time = co_await room_.wait(deadline);
    if (!in_time) co_return fail(Errc::timeout, "write: timed out");
  }
}

Task<Result<>> Http2Stream::end_body(std::string_view trailers, Deadline) {
  if (aborted_ || is_over()) co_return std::unexpected(lost());
  connection_->session_.end(*this, trailers);
  co_return Result<>();
}

Task<Result<>> Http2Stream::wait_came(Deadline deadline) {
  if (aborted_ || is_over()) co_return std::unexpected(lost());
  const bool in_time = co_await came_.wait(deadline);
  if (aborted_) co_return std::unexpected(lost());
  if (!in_time) co_return fail(Errc::timeout, "read: timed out");
  co_return Result<>();
}

Task<Result<>> Http2Stream::read_head(http::ResponseHead& out, http::ResponseContext context,
                                      Deadline deadline) {
  while (heads().empty()) {
    const auto came = co_await wait_came(deadline);
    if (!came) co_return came;
  }
  if (aborted_) co_return std::unexpected(lost());
  const std::string text = std::move(heads().front());
  heads().erase(heads().begin());
  const auto refusal = http::parse_response(text, connection_->limits_.message, context, out);
  if (refusal) co_return fail(Errc::invalid, std::string(http::name_of(*refusal)));
  // No length was declared, and none is needed any more.
  if (out.body.kind == http::BodyKind::until_close && body_ended() && body().empty() &&
      http2::Stream::trailers().empty()) {
    out.body = {http::BodyKind::length, 0};
  }
  co_return Result<>();
}

Result<io::BodyPiece> Http2Stream::peek_body() {
  return io::BodyPiece{body(), body_ended()};
}

Task<Result<>> Http2Stream::wait_body(Deadline deadline) {
  return wait_came(deadline);
}

}  // namespace heddle::upstream
