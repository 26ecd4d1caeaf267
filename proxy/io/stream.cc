#include "proxy/io/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/buffer.hpp>

#include "common/base/check.h"

namespace heddle::io {

Pieces::Pieces(std::initializer_list<std::string_view> pieces) {
  CHECK(pieces.size() <= kMost);
  for (const std::string_view piece : pieces) {
    if (!piece.empty()) pieces_[count_++] = piece;
  }
}

std::size_t Pieces::size() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < count_; ++i) sum += pieces_[i].size();
  return sum;
}

void Pieces::consume(std::size_t n) {
  std::size_t used = 0;
  while (used < count_ && n >= pieces_[used].size()) n -= pieces_[used++].size();
  for (std::size_t i = used; i < count_; ++i) pieces_[i - used] = pieces_[i];
  count_ -= used;
  if (n) pieces_[0].remove_prefix(n);
}

Stream::Stream(Socket socket, DeadlineQueue& deadlines)
    : socket_(std::move(socket)),
      deadlines_(deadlines),
      read_deadline_(&Stream::read_expired, this),
      write_deadline_(&Stream::write_expired, this) {}

void Stream::read_expired(void* self) {
  auto* stream = static_cast<Stream*>(self);
  stream->read_late_ = true;
  stream->cancel();
}

void Stream::write_expired(void* self) {
  auto* stream = static_cast<Stream*>(self);
  stream->write_late_ = true;
  stream->cancel();
}

void Stream::cancel() {
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Stream::abort() {
  aborted_ = true;
  cancel();
}

void Stream::stop_reading() {
  reading_stopped_ = true;
  cancel();
}

// An operation must not start once the stream is over: a cancel that came between two operations
// has nothing to cancel.
std::optional<Error> Stream::refusal(Side side) const {
  if (aborted_ || (side == Side::read && reading_stopped_)) {
    return Error(Errc::cancelled, "the connection was given up");
  }
  return std::nullopt;
}

Error Stream::failure(const boost::system::error_code& ec, Side side, std::string_view what) {
  const bool late = side == Side::read ? read_late_ : write_late_;
  if (const auto refused = refusal(side)) return *refused;
  if (ec == asio::error::operation_aborted) {
    return late ? Error(Errc::timeout, std::string(what) + ": timed out")
                : Error(Errc::cancelled, std::string(what) + ": cancelled");
  }
  return Error::from_errno(ec.value(), what);
}

Task<Result<>> Stream::connect(asio::ip::tcp::endpoint peer, Deadline deadline) {
  if (const auto refused = refusal(Side::write)) co_return std::unexpected(*refused);
  write_late_ = false;
  deadlines_.arm(write_deadline_, deadline);
  const auto [ec] = co_await socket_.async_connect(peer, nothrow);
  deadlines_.disarm(write_deadline_);
  if (ec) co_return std::unexpected(failure(ec, Side::write, "connect"));
  if (const auto refused = refusal(Side::write)) co_return std::unexpected(*refused);
  co_return Result<>();
}

Task<Result<std::size_t>> Stream::read_some(ReadBuffer& buffer, std::size_t least,
                                            Deadline deadline) {
  if (const auto refused = refusal(Side::read)) co_return std::unexpected(*refused);
  read_late_ = false;
  deadlines_.arm(read_deadline_, deadline);
  reading_ = true;
  const auto room = buffer.prepare(least);
  const auto [ec, n] =
      co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), nothrow);
  reading_ = false;
  deadlines_.disarm(read_deadline_);
  buffer.commit(n);
  if (n > 0) co_return n;
  if (ec == asio::error::eof) co_return std::size_t{0};
  co_return std::unexpected(failure(ec, Side::read, "read"));
}

Result<std::size_t> Stream::write_now(const Pieces& pieces) {
  std::array<iovec, Pieces::kMost> parts;
  std::size_t count = 0;
  for (const std::string_view piece : pieces.ranges()) {
    parts[count++] = {const_cast<char*>(piece.data()), piece.size()};
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const ssize_t n = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) return std::size_t{0};
  return fail_errno(errno, "write");
}

Task<Result<>> Stream::write_all(Pieces pieces, Deadline deadline) {
  while (true) {
    if (const auto refused = refusal(Side::write)) co_return std::unexpected(*refused);
    if (pieces.size() == 0) co_return Result<>();
    const auto written = write_now(pieces);
    if (!written) co_return std::unexpected(written.error());
    pieces.consume(*written);
    if (pieces.size() == 0) co_return Result<>();
    write_late_ = false;
    deadlines_.arm(write_deadline_, deadline);
    const auto [ec] = co_await socket_.async_wait(Socket::wait_write, nothrow);
    deadlines_.disarm(write_deadline_);
    if (ec) co_return std::unexpected(failure(ec, Side::write, "write"));
  }
}

void Stream::tune() {
  const auto set = [this](int level, int name, int value) {
    // Best effort: without it the connection is only slower to notice things.
    (void)::setsockopt(fd(), level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

void Stream::set_user_timeout(std::chrono::milliseconds time) {
  const auto value = static_cast<int>(time.count());
  (void)::setsockopt(fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

void Stream::shutdown_send() {
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::close() {
  aborted_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void Stream::reset() {
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

bool Stream::is_quiet() const {
  char byte;
  auto& socket = const_cast<Socket&>(socket_);
  const ssize_t n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && errno == EAGAIN;
}

bool Stream::has_unread() const {
  char byte;
  auto& socket = const_cast<Socket&>(socket_);
  return ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace heddle::io
