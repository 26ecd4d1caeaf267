#include "netd/dns/listener.h"

#include <sys/socket.h>

#include <boost/asio/this_coro.hpp>
#include <cerrno>

#include "netd/dns/connection.h"

namespace heddle::dns {
namespace {

constexpr int kBatch = 64;  // queries of one workload before others have their turn
constexpr std::chrono::milliseconds kPause{100};  // after an error that repeats at once (EMFILE)

// Waits a little, or until cancelled.
Task<> pause() {
  asio::steady_timer timer(co_await asio::this_coro::executor, kPause);
  const auto [ec] = co_await timer.async_wait(nothrow);
  (void)ec;
}

// Takes the descriptor out of epoll before closing it: a close alone does not, as long as somebody
// else holds a duplicate (epoll(7), questions and answers).
void close_duplicate(asio::posix::stream_descriptor& descriptor) {
  if (descriptor.is_open()) UniqueFd(descriptor.release()).reset();
}

}  // namespace

Listener::Listener(const asio::any_io_executor& executor, Shared& shared, UniqueFd udp,
                   UniqueFd tcp, std::shared_ptr<const ZoneSlot> zone)
    : shared_(shared),
      udp_(executor, udp.release()),
      tcp_(executor, tcp.release()),
      zone_(std::move(zone)),
      tasks_(executor) {}

void Listener::start() {
  tasks_.spawn(serve_udp());
  tasks_.spawn(serve_tcp());
}

void Listener::close() {
  if (closed_) return;
  closed_ = true;
  close_duplicate(udp_);
  close_duplicate(tcp_);
  // A cancellation can fall between two operations; a closed socket ends any.
  for (Connection* connection : connections_) connection->close();
  tasks_.cancel();
}

Answer Listener::take(ByteView query, Transport transport) {
  ++shared_.queries;
  Answer result = answer(*zone_->get(), query, transport);
  if (result.kind == Answer::Kind::reply) ++shared_.answered;
  if (result.kind == Answer::Kind::drop) ++shared_.dropped;
  return result;
}

Task<Bytes> Listener::relay(Bytes query, Transport transport) {
  ++shared_.forwarded;
  if (forwards_ >= shared_.settings.max_forwarded_per_workload) {
    ++shared_.failed;
    co_return encode_failure(query, Rcode::server_failure);
  }
  ++forwards_;
  Bytes reply = co_await shared_.forwarder.ask(query, transport);
  --forwards_;
  if (rcode_of(reply) == Rcode::server_failure) ++shared_.failed;
  co_return reply;
}

Task<> Listener::serve_udp() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  while (!closed_) {
    const auto [ec] = co_await udp_.async_wait(asio::posix::stream_descriptor::wait_read, nothrow);
    if (closed_) break;
    if (ec || !receive_some()) co_await pause();
  }
}

// False on an error that waiting might mend.
bool Listener::receive_some() {
  for (int i = 0; i < kBatch; ++i) {
    sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    const ssize_t size =
        ::recvfrom(udp_.native_handle(), shared_.buffer.data(), shared_.buffer.size(), MSG_DONTWAIT,
                   reinterpret_cast<sockaddr*>(&peer), &peer_size);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    handle_udp(ByteView(shared_.buffer).first(static_cast<std::size_t>(size)), &peer, peer_size);
  }
  return true;
}

void Listener::handle_udp(ByteView query, const void* peer, unsigned peer_size) {
  const Answer result = take(query, Transport::udp);
  if (result.kind == Answer::Kind::reply) send_udp(result.bytes, peer, peer_size);
  if (result.kind != Answer::Kind::forward) return;
  const auto* bytes = static_cast<const std::uint8_t*>(peer);
  tasks_.spawn(relay_udp(Bytes(query.begin(), query.end()), {bytes, bytes + peer_size}));
}

Task<> Listener::relay_udp(Bytes query, std::vector<std::uint8_t> peer) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  const Bytes reply = co_await relay(std::move(query), Transport::udp);
  if (!closed_) send_udp(reply, peer.data(), static_cast<unsigned>(peer.size()));
}

void Listener::send_udp(const Bytes& reply, const void* peer, unsigned peer_size) {
  const ssize_t sent =
      ::sendto(udp_.native_handle(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               static_cast<const sockaddr*>(peer), peer_size);
  if (sent < 0) ++shared_.dropped;
}

Task<> Listener::serve_tcp() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  while (!closed_) {
    const auto [ec] = co_await tcp_.async_wait(asio::posix::stream_descriptor::wait_read, nothrow);
    if (closed_) break;
    UniqueFd accepted(
        ec ? -1 : ::accept4(tcp_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) {
      if (ec || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)) co_await pause();
      continue;
    }
    if (connections_.size() >= shared_.settings.max_connections_per_workload) continue;
    ++shared_.connections;
    tasks_.spawn(serve_connection(std::move(accepted)));
  }
}

Task<> Listener::serve_connection(UniqueFd socket) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  Connection connection(co_await asio::this_coro::executor, *this, std::move(socket));
  connections_.insert(&connection);
  if (closed_) connection.close();
  co_await connection.run();
  connections_.erase(&connection);
}

}  // namespace heddle::dns
