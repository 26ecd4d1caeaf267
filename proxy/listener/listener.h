#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <memory>

#include "common/async/task_group.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proxy/listener/client.h"
#include "proxy/listener/ingress.h"
#include "proxy/listener/sidecar.h"

namespace heddle::listener {

// One configured listener on one core: accepts from a copy of the socket it was given and serves
// each connection by the listener's kind. Threads: the core's.
class Listener {
 public:
  // `socket` listens; the object it came from stays open elsewhere, so that clients queue there
  // while nobody accepts. Errors: those of getsockname().
  static Result<std::unique_ptr<Listener>> open(Core& core,
                                                std::shared_ptr<const route::Table> table,
                                                UniqueFd socket);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const snapshot::Listener& config() const { return *ingress_.config; }
  // Same name, kind and socket; connections go on under the new rules.
  void update(std::shared_ptr<const route::Table> table);

  // Accepts until stop(), then ends what is under way: each connection with the answer to what its
  // client has sent, silent ones after a moment, the rest at the deadline given to stop(). Returns
  // when no connection is left.
  Task<> run();

  // Who serves the connections that wait in the socket's queue: its next user, or, when it has
  // none, we do.
  enum class Queue { left, served };
  void stop(Deadline deadline, Queue queue);

 private:
  using Clients = boost::intrusive::list<Client, boost::intrusive::constant_time_size<false>>;

  Listener(Core& core, std::shared_ptr<const route::Table> table, SocketAddr listening);
  Task<> accept_all();
  Task<> serve_queue();
  void accept_waiting();
  void admit(io::Stream::Socket socket);
  Task<> serve(io::Stream::Socket socket);
  Task<> serve_by_kind(Client& client);

  Ingress ingress_;
  const SocketAddr listening_;
  asio::ip::tcp::acceptor acceptor_;
  LocalGroups local_groups_;
  Clients clients_;
  TaskGroup connections_;
  std::size_t under_way_ = 0;  // of them, also those that are only about to be served
  asio::steady_timer pause_;   // after a failed accept; then the drain's deadline
  Deadline drain_until_ = Deadline::max();
  Deadline quiet_until_ = Deadline::max();
  Queue queue_ = Queue::left;
  bool stopping_ = false;
};

}  // namespace heddle::listener
