#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>

#include "netd/dns/listener.h"

namespace heddle::dns {

// One TCP connection of a workload: queries framed by their length, answered in any order as they
// become known (RFC 7766, section 6.2.1.1). It ends when the asker closes it, sends what is no
// query, or lets the idle time pass. Threads: one executor.
class Connection final {
 public:
  Connection(const asio::any_io_executor& executor, Listener& owner, UniqueFd socket);

  // Until the connection ends; its owner outlives it.
  Task<> run();
  void close();

 private:
  Task<> read_queries();
  Task<> write_replies();
  Task<> watch_idle();
  Task<> relay(Bytes message, Query query);
  Task<> wait_for_change();
  bool take(Bytes message);
  void send(Bytes reply);
  void touch();
  void changed() { change_.cancel(); }

  Listener& owner_;
  asio::ip::tcp::socket socket_;
  std::deque<Bytes> replies_;  // not yet written
  std::size_t forwarding_ = 0;
  bool closed_ = false;
  Deadline idle_until_;
  asio::steady_timer idle_;
  asio::steady_timer change_;  // cancelled when any of the above changed
  TaskGroup tasks_;
};

}  // namespace heddle::dns
