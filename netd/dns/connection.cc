#include "netd/dns/connection.h"

#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

namespace heddle::dns {
namespace {

// Queries of one connection that are answered at a time; reading stops there.
constexpr std::size_t kMaxPipelined = 32;

}  // namespace

Connection::Connection(const asio::any_io_executor& executor, Listener& owner, UniqueFd socket)
    : owner_(owner),
      // The family only matters to calls that are not made here.
      socket_(executor, asio::ip::tcp::v4(), socket.release()),
      idle_(executor),
      change_(executor),
      tasks_(executor) {
  change_.expires_at(Deadline::max());
  touch();
}

Task<> Connection::run() {
  tasks_.spawn(write_replies());
  tasks_.spawn(watch_idle());
  co_await read_queries();
  changed();
  // What was asked before the asker closed its side is still answered.
  while (!closed_ && forwarding_ + replies_.size() > 0) {
    co_await wait_for_change();
  }
  close();
  tasks_.cancel();
  co_await tasks_.join();
}

void Connection::touch() {
  idle_until_ = after(owner_.shared().settings.idle_timeout);
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  idle_.cancel();
  changed();
}

Task<> Connection::wait_for_change() {
  const auto [ec] = co_await change_.async_wait(nothrow);
  (void)ec;
}

Task<> Connection::read_queries() {
  while (!closed_) {
    std::array<std::uint8_t, 2> length{};
    const auto [headed, head_bytes] =
        co_await asio::async_read(socket_, asio::buffer(length), nothrow);
    if (headed) co_return;
    const std::size_t size = static_cast<std::size_t>(length[0]) << 8 | length[1];
    if (size < kHeaderSize || size > kMaxQuery) co_return;
    Bytes query(size);
    const auto [read, read_bytes] =
        co_await asio::async_read(socket_, asio::buffer(query), nothrow);
    if (read) co_return;
    touch();
    if (!take(std::move(query))) co_return;
    while (!closed_ && forwarding_ + replies_.size() >= kMaxPipelined) {
      co_await wait_for_change();
    }
  }
}

// False when the bytes are no query: what follows them cannot be trusted either.
bool Connection::take(Bytes message) {
  Answer result = owner_.take(message, Transport::tcp);
  if (result.kind == Answer::Kind::drop) return false;
  if (result.kind == Answer::Kind::reply) {
    send(std::move(result.bytes));
  } else {
    ++forwarding_;
    tasks_.spawn(relay(std::move(message), std::move(result.query)));
  }
  return true;
}

Task<> Connection::relay(Bytes message, Query query) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Bytes reply = co_await owner_.relay(std::move(message), std::move(query), Transport::tcp);
  --forwarding_;
  if (!closed_) send(std::move(reply));
  changed();
}

void Connection::send(Bytes reply) {
  replies_.push_back(std::move(reply));
  changed();
}

Task<> Connection::write_replies() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_) {
    if (replies_.empty()) {
      co_await wait_for_change();
      continue;
    }
    const Bytes& reply = replies_.front();
    const std::array<std::uint8_t, 2> length{static_cast<std::uint8_t>(reply.size() >> 8),
                                             static_cast<std::uint8_t>(reply.size())};
    // In one segment: some askers read the length and the message in one go.
    const std::array<asio::const_buffer, 2> parts{asio::buffer(length), asio::buffer(reply)};
    const auto [ec, size] = co_await asio::async_write(socket_, parts, nothrow);
    if (ec) {
      close();
      break;
    }
    replies_.pop_front();
    touch();
    changed();
  }
}

Task<> Connection::watch_idle() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!closed_ && idle_until_ > std::chrono::steady_clock::now()) {
    idle_.expires_at(idle_until_);
    const auto [ec] = co_await idle_.async_wait(nothrow);
    (void)ec;
  }
  close();
}

}  // namespace heddle::dns
