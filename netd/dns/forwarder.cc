#include "netd/dns/forwarder.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <memory>

#include "common/base/check.h"

namespace heddle::dns {
namespace {

// Replies to other questions on the same socket are guesses; after so many nobody is believed.
constexpr int kMaxStrangers = 16;

std::uint16_t random_id() {
  std::uint16_t id = 0;
  CHECK(::getrandom(&id, sizeof id, 0) == sizeof id);
  return id;
}

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

// A cancellation that arrives between two operations stops neither: it is looked for before each.
class Stopped final {
 public:
  explicit Stopped(asio::cancellation_state state) : state_(state) {}
  explicit operator bool() const { return state_.cancelled() != asio::cancellation_type::none; }

 private:
  asio::cancellation_state state_;
};

Task<Result<Bytes>> exchange_udp(std::shared_ptr<TimedUdp> timed, Bytes query, SocketAddr server) {
  const Stopped stopped(co_await asio::this_coro::cancellation_state);
  boost::system::error_code failed;
  const asio::ip::udp::endpoint peer(address_of(server.address), server.port);
  timed->socket.open(peer.protocol(), failed);
  // Connected: the kernel drops what comes from elsewhere and tells of a closed port.
  if (!failed) timed->socket.connect(peer, failed);
  if (failed) co_return timed->failure(failed, server);
  const auto [sent, sent_bytes] = co_await timed->socket.async_send(asio::buffer(query), nothrow);
  if (sent) co_return timed->failure(sent, server);
  const Parsed parsed = parse_query(query);
  Bytes reply(parsed.query ? parsed.query->payload : kMinPayload);
  for (int strangers = 0; strangers < kMaxStrangers; ++strangers) {
    if (stopped) co_return timed->failure(asio::error::operation_aborted, server);
    const auto [ec, size] = co_await timed->socket.async_receive(asio::buffer(reply), nothrow);
    if (ec) co_return timed->failure(ec, server);
    if (!answers(query, ByteView(reply).first(size))) continue;
    reply.resize(size);
    co_return reply;
  }
  co_return fail(Errc::unavailable,
                 "name server " + server.format() + " answers other questions than ours");
}

Task<Result<Bytes>> exchange_tcp(std::shared_ptr<TimedTcp> timed, Bytes query, SocketAddr server) {
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
  if (!answers(query, reply)) {
    co_return fail(Errc::unavailable,
                   "name server " + server.format() + " answers another question than ours");
  }
  co_return reply;
}

// Worth asking another server.
bool useless(const Bytes& reply) {
  const Rcode rcode = rcode_of(reply);
  return rcode == Rcode::server_failure || rcode == Rcode::refused ||
         rcode == Rcode::not_implemented;
}

}  // namespace

void Forwarder::set_servers(std::vector<SocketAddr> servers) {
  settings_.servers = std::move(servers);
  preferred_ = 0;
}

Task<Bytes> Forwarder::ask(Bytes query, Transport transport) {
  const std::uint16_t id = id_of(query);
  if (in_flight_ >= settings_.max_in_flight) {
    co_return encode_failure(query, Rcode::server_failure);
  }
  ++in_flight_;
  auto reply = co_await ask_any(query, transport);
  --in_flight_;
  if (!reply) co_return encode_failure(query, Rcode::server_failure);
  set_id(*reply, id);
  co_return std::move(*reply);
}

Task<Result<Bytes>> Forwarder::ask_any(Bytes query, Transport transport) {
  // Replaced meanwhile, perhaps: the copy is what this question goes through.
  const std::vector<SocketAddr> servers = settings_.servers;
  const std::size_t first = preferred_;
  const Stopped stopped(co_await asio::this_coro::cancellation_state);
  const Deadline deadline = after(settings_.total);
  Result<Bytes> last = fail(Errc::unavailable, "no name server is configured");
  for (std::size_t i = 0; i < servers.size(); ++i) {
    const std::size_t index = (first + i) % servers.size();
    const Deadline share = std::min(deadline, after(settings_.attempt));
    set_id(query, random_id());
    auto reply = co_await ask_one(query, servers[index], transport, share);
    if (reply && !useless(*reply)) {
      if (settings_.servers == servers) preferred_ = index;
      co_return reply;
    }
    // A refusal is worth more than silence.
    if (reply || !last) last = std::move(reply);
    if (stopped || std::chrono::steady_clock::now() >= deadline) break;
  }
  co_return last;
}

Task<Result<Bytes>> Forwarder::ask_one(Bytes query, SocketAddr server, Transport transport,
                                       Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  if (transport == Transport::tcp) {
    const auto timed = std::make_shared<TimedTcp>(executor);
    timed->start(deadline);
    auto reply = co_await exchange_tcp(timed, query, server);
    timed->stop();
    // A server without TCP may still know the answer.
    if (reply || reply.error().code() != Errc::unavailable) co_return reply;
  }
  const auto timed = std::make_shared<TimedUdp>(executor);
  timed->start(deadline);
  auto reply = co_await exchange_udp(timed, query, server);
  timed->stop();
  co_return reply;
}

}  // namespace heddle::dns
