#include "proxy/listener/listener.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "common/observe/log.h"
#include "proxy/listener/http_session.h"
#include "proxy/listener/original_destination.h"
#include "proxy/listener/tcp_exchange.h"
#include "proxy/route/route.h"

namespace heddle::listener {
namespace {

constexpr std::chrono::milliseconds kAcceptPause{50};
constexpr std::chrono::milliseconds kQueuePause{10};
constexpr int kQueueLooks = 20;

// Accepted sockets inherit these.
void tune(int fd) {
  const int on = 1;
  const int idle = 60;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
}

// The kernel drops what asks for a new connection, on all copies of this socket. Clients ask again
// a second later, and are refused then or find whoever listens next.
void begin_no_more(int fd) {
  constexpr std::uint32_t kFlagsByte = 13;  // of a TCP header (RFC 9293, section 3.1)
  constexpr std::uint32_t kSyn = 0x02;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsByte),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSyn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
  };
  const sock_fprog program{std::size(code), code};
  (void)::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(Core& core,
                                                 std::shared_ptr<const route::Table> table,
                                                 UniqueFd socket) {
  const auto address = local_address(socket.get());
  if (!address) return fail_errno(errno, "listener '" + table->listener().name + "': getsockname");
  tune(socket.get());
  // One that served its queue a moment ago may have had it.
  const int unused = 0;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
  std::unique_ptr<Listener> listener(new Listener(core, std::move(table), *address));
  boost::system::error_code ec;
  const auto protocol = address->address.is_v4() ? asio::ip::tcp::v4() : asio::ip::tcp::v6();
  listener->acceptor_.assign(protocol, socket.get(), ec);
  if (ec) return fail_errno(ec.value(), "listener '" + listener->config().name + "': assign");
  (void)socket.release();
  return listener;
}

Listener::Listener(Core& core, std::shared_ptr<const route::Table> table, SocketAddr listening)
    : ingress_(core, std::move(table)),
      listening_(listening),
      acceptor_(core.executor),
      local_groups_(make_local_groups(core, *ingress_.config, {})),
      connections_(core.executor),
      pause_(core.executor) {}

void Listener::update(std::shared_ptr<const route::Table> table) {
  ingress_.update(std::move(table));
  local_groups_ = make_local_groups(ingress_.core, *ingress_.config, std::move(local_groups_));
}

void Listener::stop(Deadline deadline, Queue queue) {
  stopping_ = true;
  drain_until_ = deadline;
  quiet_until_ = std::min(deadline, after(ingress_.core.settings.drain_quiet));
  queue_ = queue;
  boost::system::error_code ignored;
  acceptor_.cancel(ignored);
  pause_.cancel();
}

Task<> Listener::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await accept_all();
  // The last connection to end cancels the wait.
  if (under_way_ > 0) {
    pause_.expires_at(drain_until_);
    const auto [ec] = co_await pause_.async_wait(nothrow);
    (void)ec;
  }
  for (auto at = clients_.begin(); at != clients_.end();) (at++)->abort();
  co_await connections_.join();
}

Task<> Listener::accept_all() {
  while (!stopping_) {
    auto [ec, socket] = co_await acceptor_.async_accept(nothrow);
    if (!ec) {
      // Also when stop() came meanwhile: nobody else can serve it any more.
      admit(std::move(socket));
      continue;
    }
    if (stopping_ || ec == asio::error::connection_aborted) continue;
    // Out of descriptors or memory: nothing is gained by spinning.
    log_warn("accept.failed", {{"listener", config().name}, {"error", ec.message()}});
    pause_.expires_after(kAcceptPause);
    const auto [waited] = co_await pause_.async_wait(nothrow);
    (void)waited;
  }
  // Those that come from now on are drained as they come.
  for (auto at = clients_.begin(); at != clients_.end();) (at++)->drain(quiet_until_);
  if (queue_ == Queue::served) co_await serve_queue();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

// Connections that begin after the last accept() would be reset when the socket closes. So none
// begin any more, and what has begun gets the time that a handshake takes.
Task<> Listener::serve_queue() {
  begin_no_more(acceptor_.native_handle());
  asio::steady_timer pause(ingress_.core.executor);
  for (int i = 0; i < kQueueLooks; ++i) {
    accept_waiting();
    pause.expires_after(kQueuePause);
    const auto [ec] = co_await pause.async_wait(nothrow);
    (void)ec;
  }
  accept_waiting();
}

void Listener::accept_waiting() {
  boost::system::error_code ec;
  acceptor_.non_blocking(true, ec);
  while (!ec) {
    io::Stream::Socket socket(ingress_.core.executor);
    acceptor_.accept(socket, ec);
    if (!ec) admit(std::move(socket));
    if (ec == asio::error::connection_aborted) ec.clear();
  }
}

void Listener::admit(io::Stream::Socket socket) {
  Core& core = ingress_.core;
  if (core.connections >= core.settings.max_connections) {
    ingress_.metrics->rejected();
    return;
  }
  ++under_way_;
  connections_.spawn(serve(std::move(socket)));
}

Task<> Listener::serve(io::Stream::Socket socket) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Client client(std::move(socket), ingress_.core.deadlines);
  clients_.push_back(client);
  ++ingress_.core.connections;
  ingress_.metrics->opened();
  if (const auto peer = peer_address(client.stream.fd())) {
    client.address = peer->address.format();
    if (stopping_) client.drain(quiet_until_);
    co_await serve_by_kind(client);
  }
  ingress_.metrics->closed();
  --ingress_.core.connections;
  client.unlink();
  if (--under_way_ == 0 && stopping_) pause_.cancel();
}

Task<> Listener::serve_by_kind(Client& client) {
  switch (config().kind) {
    case snapshot::ListenerKind::http: {
      client.local_port = listening_.port;
      Way way;
      way.by_rules = true;
      HttpSession session(ingress_, client, std::move(way));
      co_await session.run();
      break;
    }
    case snapshot::ListenerKind::tcp: {
      const auto config = ingress_.config;
      const auto& forward = std::get<snapshot::Forward>(*config->default_action);
      const auto& name = route::choose_group(forward, ingress_.core.random.next());
      auto group = ingress_.core.find_group(name);
      if (!group) {
        client.stream.reset();
        break;
      }
      co_await relay_to_group(ingress_, client, *group);
      break;
    }
    case snapshot::ListenerKind::outbound:
      co_await serve_outbound(ingress_, client, listening_);
      break;
    case snapshot::ListenerKind::inbound: {
      co_await serve_inbound(ingress_, client, listening_, local_groups_);
      break;
    }
  }
}

}  // namespace heddle::listener
