#include "proxy/http2/transport.h"

#include <boost/asio/this_coro.hpp>

namespace heddle::http2 {
namespace {

constexpr std::size_t kReadBytes = 16 << 10;
constexpr std::size_t kQuietRead = 1 << 10;  // while no stream is open
constexpr std::size_t kWriteBytes = 64 << 10;
constexpr std::size_t kKeptBytes = 4 << 10;  // of the output buffer, while there is no output

}  // namespace

Result<> Transport::feed() {
  if (in_.empty()) return {};
  const auto fed = session_.receive(in_.view(), std::chrono::steady_clock::now());
  in_.consume(in_.size());
  return fed;
}

Task<Result<>> Transport::read(Deadline deadline) {
  const bool quiet = session_.streams() == 0;
  if (quiet && in_.empty()) in_.release();
  const auto n = co_await stream_.read_some(in_, quiet ? kQuietRead : kReadBytes, deadline);
  if (!n) co_return std::unexpected(n.error());
  if (*n == 0) co_return fail(Errc::unavailable, "the peer closed the connection");
  co_return feed();
}

Task<> Transport::write_loop(std::chrono::milliseconds stall) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stream_.aborted()) {
    session_.take_output(out_, kWriteBytes);
    if (out_.empty()) {
      if (finishing_ || session_.is_finished()) break;
      if (out_.capacity() > kKeptBytes && session_.streams() == 0) std::string().swap(out_);
      (void)co_await output_.wait(Deadline::max());
      continue;
    }
    sent_anything_ = true;
    const io::Pieces bytes{out_};
    const auto written = co_await stream_.write_all(bytes, after(stall));
    out_.clear();
    if (!written) {
      stream_.abort();
      co_return;
    }
  }
  stream_.stop_reading();
}

}  // namespace heddle::http2
