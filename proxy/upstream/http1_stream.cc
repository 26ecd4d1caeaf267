#include "proxy/upstream/http1_stream.h"

#include <algorithm>
#include <utility>

#include "proxy/http/head_scanner.h"

namespace heddle::upstream {
namespace {

constexpr std::size_t kHeadRead = 4 << 10;
constexpr std::size_t kReadBytes = 16 << 10;  // to begin with; more once reads fill it
constexpr std::size_t kMostReadBytes = 128 << 10;

}  // namespace

Task<Result<bool>> Http1Stream::send_request(Request request, Deadline deadline) {
  to_target_ = request.head.body.kind;
  scratch_.clear();
  http::append_request(scratch_, request.head, request.edit);
  io::Pieces pieces{scratch_, request.whole_body};
  const auto written = connection_.stream.write_now(pieces);
  if (!written) co_return false;
  pieces.consume(*written);
  if (pieces.size() == 0) co_return true;
  const auto rest = co_await connection_.stream.write_all(pieces, deadline);
  if (!rest) co_return std::unexpected(rest.error());
  co_return true;
}

Task<Result<>> Http1Stream::send_body(std::string_view data, Deadline deadline) {
  const bool chunked = to_target_ == http::BodyKind::chunked;
  scratch_.clear();
  if (chunked) http::append_chunk_size(scratch_, data.size());
  const io::Pieces pieces{scratch_, data, chunked ? std::string_view("\r\n") : std::string_view()};
  co_return co_await connection_.stream.write_all(pieces, deadline);
}

Task<Result<>> Http1Stream::end_body(std::string_view trailers, Deadline deadline) {
  if (to_target_ != http::BodyKind::chunked) co_return Result<>();
  const io::Pieces last{"0\r\n", trailers, "\r\n"};
  co_return co_await connection_.stream.write_all(last, deadline);
}

Task<Result<>> Http1Stream::read_head(http::ResponseHead& out, http::ResponseContext context,
                                      Deadline deadline) {
  http::HeadScanner scanner;
  while (true) {
    const auto scanned = scanner.scan(connection_.in.view(), limits_);
    if (!scanned) co_return fail(Errc::invalid, std::string(name_of(scanned.error())));
    if (*scanned) {
      const auto refusal =
          http::parse_response(connection_.in.view().substr(0, **scanned), limits_, context, out);
      connection_.in.consume(**scanned);
      if (refusal) co_return fail(Errc::invalid, std::string(name_of(*refusal)));
      decoder_ = http::BodyDecoder(out.body, limits_);
      room_ = kReadBytes;
      reusable_ = out.reusable;
      co_return Result<>();
    }
    const auto n = co_await connection_.stream.read_some(connection_.in, kHeadRead, deadline);
    if (!n) co_return std::unexpected(n.error());
    if (*n == 0) co_return fail(Errc::unavailable, "the target closed the connection");
    begun_ = true;
  }
}

Result<io::BodyPiece> Http1Stream::peek_body() {
  while (!connection_.in.empty() && !decoder_.done()) {
    const auto piece = decoder_.next(connection_.in.view());
    if (!piece) return fail(Errc::invalid, std::string(name_of(piece.error())));
    if (!piece->data.empty()) {
      piece_consumed_ = piece->consumed;
      return io::BodyPiece{piece->data, decoder_.done()};
    }
    connection_.in.consume(piece->consumed);
  }
  return io::BodyPiece{{}, decoder_.done()};
}

void Http1Stream::take_body(std::size_t) {
  connection_.in.consume(std::exchange(piece_consumed_, 0));
}

Task<Result<>> Http1Stream::wait_body(Deadline deadline) {
  const auto n = co_await connection_.stream.read_some(connection_.in, room_, deadline);
  if (!n) co_return std::unexpected(n.error());
  if (*n >= room_) room_ = std::min(room_ * 2, kMostReadBytes);
  if (*n == 0 && !decoder_.finish_at_close()) {
    co_return fail(Errc::unavailable, "the target closed the connection");
  }
  co_return Result<>();
}

bool Http1Stream::is_reusable() const {
  return reusable_ && decoder_.done() && connection_.in.empty();
}

}  // namespace heddle::upstream
