#include "netd/dns/listener.h"

#include <sys/socket.h>

#include <boost/asio/this_coro.hpp>
#include <cerrno>

#include "netd/dns/connection.h"

namespace heddle::dns {
namespace {

constexpr std::size_t kFairShare = 8;  // forwarded answers for anybody, when there is little room
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

bool Shared::admits(std::size_t own) const {
  if (waiting >= settings.max_forwarded || own >= settings.max_forwarded_per_workload) return false;
  return waiting < settings.max_forwarded / 4 * 3 || own < kFairShare;
}

Listener::Listener(const asio::any_io_executor& executor, Shared& shared,
                   DnsServer::Sockets sockets, std::shared_ptr<const ZoneSlot> zone,
                   std::shared_ptr<Forwarder> forwarder)
    : shared_(shared),
      udp_(executor, sockets.udp.release()),
      tcp_(executor, sockets.tcp.release()),
      zone_(std::move(zone)),
      forwarder_(std::move(forwarder)),
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

Answer Listener::take(ByteView message, Transport transport) {
  ++shared_.queries;
  Answer result = answer(*zone_->get(), message, transport);
  if (result.kind == Answer::Kind::forward) {
    result.bytes = forwarder_->find(message, result.query, transport);
    if (!result.bytes.empty()) {
      ++shared_.forwarded;
      result.kind = Answer::Kind::reply;
    }
  } else {
    ++(result.kind == Answer::Kind::reply ? shared_.answered : shared_.dropped);
  }
  return result;
}

Task<Bytes> Listener::relay(Bytes message, Query query, Transport transport) {
  ++shared_.forwarded;
  if (!shared_.admits(waiting_)) {
    ++shared_.refused;
    co_return encode_failure(message, Rcode::server_failure);
  }
  ++waiting_;
  ++shared_.waiting;
  Bytes reply = co_await forwarder_->ask(std::move(message), std::move(query), transport);
  --waiting_;
  --shared_.waiting;
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

// One batch: others have their turn before the next. False on an error that waiting might mend.
bool Listener::receive_some() {
  const int count = shared_.batch.receive(udp_.native_handle());
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  for (int i = 0; i < count; ++i) handle_udp(i);
  shared_.dropped += shared_.batch.send(udp_.native_handle());
  return true;
}

void Listener::handle_udp(int i) {
  const ByteView message = shared_.batch.message(i);
  Answer result = take(message, Transport::udp);
  if (result.kind == Answer::Kind::reply) shared_.batch.reply(i, std::move(result.bytes));
  if (result.kind != Answer::Kind::forward) return;
  tasks_.spawn(relay_udp(Bytes(message.begin(), message.end()), std::move(result.query),
                         shared_.batch.peer(i)));
}

Task<> Listener::relay_udp(Bytes message, Query query, UdpBatch::Peer peer) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  const Bytes reply = co_await relay(std::move(message), std::move(query), Transport::udp);
  if (closed_) co_return;
  const ssize_t sent =
      ::sendto(udp_.native_handle(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&peer.address), peer.size);
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
    if (connections_.size() >= shared_.settings.max_connections_per_workload ||
        shared_.open >= shared_.settings.max_connections) {
      continue;
    }
    ++shared_.connections;
    tasks_.spawn(serve_connection(std::move(accepted)));
  }
}

Task<> Listener::serve_connection(UniqueFd socket) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto self = shared_from_this();
  Connection connection(co_await asio::this_coro::executor, *this, std::move(socket));
  connections_.insert(&connection);
  ++shared_.open;
  if (closed_) connection.close();
  co_await connection.run();
  --shared_.open;
  connections_.erase(&connection);
}

}  // namespace heddle::dns
