#include "netd/dns/exchange.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <memory>

namespace heddle::dns {
namespace {

// Replies to other questions on the same socket are guesses; after so many nobody is believed.
constexpr int kMaxStrangers = 16;
// Some servers send more than they were told we take.
constexpr std::size_t kUdpBuffer = 4096;

asio::ip::address address_of(const IpAddr& address) {
  if (address.is_v4()) return asio::ip::address_v4(address.v4_value());
  return asio::ip::address_v6(address.bytes());
}

// A socket that is cancelled at a deadline. Shared with the timer's handler, which may run after
// the coroutine that waited.
template <class Socket>
class Timed final : public std::enable_shared_from_this<Timed<Socket>> {
 public:
  explicit Timed(const asio::any_io_executor& executor) : socket(executor), timer_(executor) {}

  void start(Deadline deadline) {
    timer_.expires_at(deadline);
    timer_.async_wait([self = this->shared_from_this()](boost::system::error_code ec) {
      if (ec) return;
      self->expired_ = true;
      self->socket.close(ec);
    });
  }
  void stop() {
    timer_.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }
  std::unexpected<Error> failure(const boost::system::error_code& ec, const SocketAddr& server) {
    const std::string name = "name server " + server.format();
    if (expired_) return fail(Errc::timeout, name + " does not answer");
    if (ec == asio::error::operation_aborted) return fail(Errc::cancelled, name);
    return fail(Errc::unavailable, name + ": " + ec.message());
  }

  Socket socket;

 private:
  asio::steady_timer timer_;
  bool expired_ = false;
};

using TimedUdp = Timed<asio::ip::udp::socket>;
using TimedTcp = Timed<asio::ip::tcp::socket>;

Task<Result<Heard>> exchange_udp(std::shared_ptr<TimedUdp> timed, Bytes query, SocketAddr server) {
  const Stopped stopped(co_await asio::this_coro::cancellation_state);
  boost::system::error_code failed;
  const asio::ip::udp::endpoint peer(address_of(server.address), server.port);
  timed->socket.open(peer.protocol(), failed);
  // Connected: the kernel drops what comes from elsewhere and tells of a closed port.
  if (!failed) timed->socket.connect(peer, failed);
  if (failed) co_return timed->failure(failed, server);
  const auto [sent, sent_bytes] = co_await timed->socket.async_send(asio::buffer(query), nothrow);
  if (sent) co_return timed->failure(sent, server);
  Bytes reply(kUdpBuffer);
  for (int strangers = 0; strangers < kMaxStrangers; ++strangers) {
    if (stopped) co_return timed->failure(asio::error::operation_aborted, server);
    const auto [ec, size] = co_await timed->socket.async_receive(asio::buffer(reply), nothrow);
    if (ec) co_return timed->failure(ec, server);
    const Match matched = match(query, ByteView(reply).first(size));
    if (matched == Match::no) continue;
    if (size == reply.size()) reply[2] |= kTruncated;  // there may have been more
    reply.resize(size);
    co_return Heard{std::move(reply), matched};
  }
  co_return fail(Errc::unavailable,
                 "name server " + server.format() + " answers other questions than ours");
}

Task<Result<Heard>> exchange_tcp(std::shared_ptr<TimedTcp> timed, Bytes query, SocketAddr server) {
  const Stopped stopped(co_await asio::this_coro::cancellation_state);
  const asio::ip::tcp::endpoint peer(address_of(server.address), server.port);
  const auto [connected] = co_await timed->socket.async_connect(peer, nothrow);
  if (connected) co_return timed->failure(connected, server);
  if (stopped) co_return timed->failure(asio::error::operation_aborted, server);
  // RFC 1035, section 4.2.2: two bytes of length, then the message.
  const std::array<std::uint8_t, 2> prefix{static_cast<std::uint8_t>(query.size() >> 8),
                                           static_cast<std::uint8_t>(query.size())};
  const std::array<asio::const_buffer, 2> framed{asio::buffer(prefix), asio::buffer(query)};
  const auto [sent, sent_bytes] = co_await asio::async_write(timed->socket, framed, nothrow);
  if (sent) co_return timed->failure(sent, server);
  if (stopped) co_return timed->failure(asio::error::operation_aborted, server);
  std::array<std::uint8_t, 2> length{};
  const auto [headed, head_bytes] =
      co_await asio::async_read(timed->socket, asio::buffer(length), nothrow);
  if (headed) co_return timed->failure(headed, server);
  if (stopped) co_return timed->failure(asio::error::operation_aborted, server);
  Bytes reply(static_cast<std::size_t>(length[0]) << 8 | length[1]);
  const auto [read, read_bytes] =
      co_await asio::async_read(timed->socket, asio::buffer(reply), nothrow);
  if (read) co_return timed->failure(read, server);
  // Nobody guesses a connection: any spelling will do.
  if (match(query, reply) == Match::no) {
    co_return fail(Errc::unavailable,
                   "name server " + server.format() + " answers another question than ours");
  }
  co_return Heard{std::move(reply), Match::yes};
}

}  // namespace

Task<Result<Heard>> ask_by_udp(Bytes query, SocketAddr server, Deadline deadline) {
  const auto timed = std::make_shared<TimedUdp>(co_await asio::this_coro::executor);
  timed->start(deadline);
  auto heard = co_await exchange_udp(timed, std::move(query), server);
  timed->stop();
  co_return heard;
}

Task<Result<Heard>> ask_by_tcp(Bytes query, SocketAddr server, Deadline deadline) {
  const auto timed = std::make_shared<TimedTcp>(co_await asio::this_coro::executor);
  timed->start(deadline);
  auto heard = co_await exchange_tcp(timed, std::move(query), server);
  timed->stop();
  co_return heard;
}

}  // namespace heddle::dns
