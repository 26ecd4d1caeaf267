#include "proxy/listener/request_body.h"

#include <boost/asio/this_coro.hpp>

#include "proxy/http/serialize.h"

namespace heddle::listener {
namespace {

constexpr std::size_t kReadBytes = 16 << 10;

}  // namespace

void RequestBody::start(http::Framing framing, const Settings& settings,
                        std::chrono::milliseconds idle) {
  settings_ = &settings;
  framing_ = framing;
  decoder_ = http::BodyDecoder(framing, settings.limits);
  pace_.idle = std::min(settings.body_idle, idle);
  pace_.grace = settings.body_grace;
  pace_.rate = settings.body_rate;
  end_ = End::running;
}

Task<> RequestBody::copy(Client& client, io::Stream& target,
                         std::chrono::milliseconds response_time) {
  co_await asio::this_coro::throw_if_cancelled(false);
  end_ = co_await copy_all(client, target);
  if (end_ == End::whole || end_ == End::target_closed) {
    target.expect_read_by(after(response_time));
  } else {
    target.abort();
  }
}

Task<RequestBody::End> RequestBody::copy_all(Client& client, io::Stream& target) {
  while (!decoder_.done()) {
    if (client.in.empty()) {
      const Deadline before = std::chrono::steady_clock::now();
      const auto n =
          co_await client.stream.read_some(client.in, kReadBytes, before + pace_.patience());
      pace_.waited += std::chrono::steady_clock::now() - before;
      if (!n) co_return n.error().code() == Errc::timeout ? End::timeout : End::client_closed;
      if (*n == 0) co_return End::client_closed;
    }
    const auto piece = decoder_.next(client.in.view());
    if (!piece) {
      refusal_ = piece.error();
      co_return End::malformed;
    }
    pace_.bytes += piece->data.size();
    if (!piece->data.empty()) {
      const End written = co_await write(target, piece->data);
      if (written != End::running) co_return written;
    }
    client.in.consume(piece->consumed);
  }
  if (framing_.kind != http::BodyKind::chunked) co_return End::whole;
  frame_ = "0\r\n" + decoder_.trailers() + "\r\n";
  const io::Pieces last{frame_};
  const auto written = co_await target.write_all(last, after(settings_->idle_timeout));
  co_return written ? End::whole : End::target_closed;
}

Task<RequestBody::End> RequestBody::write(io::Stream& target, std::string_view data) {
  const bool chunked = framing_.kind == http::BodyKind::chunked;
  frame_.clear();
  if (chunked) http::append_chunk_size(frame_, data.size());
  const io::Pieces pieces{frame_, data, chunked ? std::string_view("\r\n") : std::string_view()};
  const auto written = co_await target.write_all(pieces, after(settings_->idle_timeout));
  co_return written ? End::running : End::target_closed;
}

}  // namespace heddle::listener
