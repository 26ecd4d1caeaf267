#include "netd/dns/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "netd/dns/listener.h"

namespace heddle::dns {
namespace {

Result<> check_socket(int fd, int type, int listening, const char* what) {
  int is_type = 0;
  int is_listening = 0;
  socklen_t size = sizeof is_type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &is_type, &size) != 0) return fail_errno(errno, what);
  size = sizeof is_listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0) {
    return fail_errno(errno, what);
  }
  if (is_type != type || is_listening != listening) {
    return fail(Errc::invalid, std::string(what) + ": the descriptor is another kind of socket");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno(errno, what);
  return {};
}

Forwarder::Settings forwarder_settings(const DnsServer::Settings& settings) {
  return {.attempt = settings.upstream_attempt,
          .total = settings.upstream_total,
          .max_questions = settings.max_forwarded,
          .cache_bytes = settings.cache_bytes,
          .longest = {}};
}

// Signals are for the threads that wait for them.
class SignalsBlocked final {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

class DnsServer::Impl final {
 public:
  explicit Impl(const Settings& settings)
      : shared_(settings), work_(asio::make_work_guard(io_)), retiring_(io_.get_executor()) {
    hosts_ = make_forwarder(settings.upstreams);
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    run([this] {
      while (!listeners_.empty()) retire(listeners_.begin()->first);
      retire(hosts_);
    });
    work_.reset();  // the thread ends with the last task
    thread_.join();
  }

  // Runs `step` on the thread and waits for it.
  void run(const std::function<void()>& step) {
    // Shared: the thread may still be inside set_value() when the waiter wakes.
    const auto done = std::make_shared<std::promise<void>>();
    asio::post(io_, [done, &step] {
      step();
      done->set_value();
    });
    done->get_future().wait();
  }

  // Any thread.
  void add(const model::Id& workload, Sockets sockets, std::shared_ptr<const Zone> zone,
           std::vector<SocketAddr> upstreams) {
    auto slot = std::make_shared<ZoneSlot>(std::move(zone));
    {
      const std::lock_guard lock(zones_mutex_);
      zones_.insert_or_assign(workload, slot);
    }
    asio::post(io_, [this, workload, slot = std::move(slot), sockets = std::move(sockets),
                     upstreams = std::move(upstreams)]() mutable {
      retire(workload);
      auto listener = std::make_shared<Listener>(io_.get_executor(), shared_, std::move(sockets),
                                                 std::move(slot), forwarder_of(upstreams));
      listener->start();
      listeners_.emplace(workload, std::move(listener));
    });
  }

  // Any thread; cheap, for it is called for every workload at every change.
  void update(const model::Id& workload, std::shared_ptr<const Zone> zone) {
    const std::lock_guard lock(zones_mutex_);
    const auto found = zones_.find(workload);
    if (found != zones_.end()) found->second->set(std::move(zone));
  }

  // Any thread.
  void remove(const model::Id& workload) {
    {
      const std::lock_guard lock(zones_mutex_);
      if (zones_.erase(workload) == 0) return;
    }
    run([&] { retire(workload); });
  }

  void set_upstreams(std::vector<SocketAddr> upstreams) {
    run([&] { hosts_->set_servers(std::move(upstreams)); });
  }

  std::vector<Upstream> upstreams() {
    std::vector<Upstream> all;
    run([&] {
      for (const auto& [address, up] : hosts_->servers()) all.push_back({address, up});
    });
    return all;
  }

  Stats stats() {
    Stats stats{.queries = shared_.queries,
                .answered = shared_.answered,
                .forwarded = shared_.forwarded,
                .cached = shared_.upstream.cached,
                .joined = shared_.upstream.joined,
                .refused = shared_.refused,
                .failed = shared_.failed,
                .dropped = shared_.dropped,
                .connections = shared_.connections,
                .upstream_queries = shared_.upstream.asked,
                .upstream_tcp = shared_.upstream.by_tcp,
                .upstream_silent = shared_.upstream.silent,
                .upstream_useless = shared_.upstream.useless,
                .loops = shared_.upstream.loops};
    run([&] {
      const auto add = [&](const Forwarder& forwarder) {
        stats.cache_entries += forwarder.cache_entries();
        stats.cache_bytes += forwarder.cache_bytes();
      };
      add(*hosts_);
      for (const auto& [upstreams, forwarder] : own_) add(*forwarder);
    });
    return stats;
  }

 private:
  // On the thread, as all below.
  void retire(const model::Id& workload) {
    const auto found = listeners_.find(workload);
    if (found == listeners_.end()) return;
    found->second->close();
    retiring_.spawn(join(found->second));
    listeners_.erase(found);
  }
  void retire(const std::shared_ptr<Forwarder>& forwarder) {
    forwarder->close();
    retiring_.spawn(join(forwarder));
  }

  Task<> join(std::shared_ptr<Listener> retired) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await retired->join();
    retired.reset();
    drop_unused();
  }
  static Task<> join(std::shared_ptr<Forwarder> retired) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await retired->join();
  }

  std::shared_ptr<Forwarder> make_forwarder(std::vector<SocketAddr> upstreams) {
    return std::make_shared<Forwarder>(io_.get_executor(), forwarder_settings(shared_.settings),
                                       shared_.upstream, std::move(upstreams));
  }

  // Workloads with equal upstreams share what they heard; others must not.
  std::shared_ptr<Forwarder> forwarder_of(const std::vector<SocketAddr>& upstreams) {
    if (upstreams.empty()) return hosts_;
    auto& known = own_[upstreams];
    if (!known) known = make_forwarder(upstreams);
    return known;
  }
  // Once no listener has them.
  void drop_unused() {
    for (auto it = own_.begin(); it != own_.end();) {
      if (it->second.use_count() > 1) {
        ++it;
        continue;
      }
      retire(it->second);
      it = own_.erase(it);
    }
  }

  asio::io_context io_{1};
  Shared shared_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::mutex zones_mutex_;
  std::map<model::Id, std::shared_ptr<ZoneSlot>> zones_;  // guarded by it; those of listeners_
  std::map<model::Id, std::shared_ptr<Listener>> listeners_;
  std::shared_ptr<Forwarder> hosts_;
  std::map<std::vector<SocketAddr>, std::shared_ptr<Forwarder>> own_;  // of workloads, by upstreams
  TaskGroup retiring_;
  std::thread thread_;
};

DnsServer::DnsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DnsServer::~DnsServer() = default;

Result<std::unique_ptr<DnsServer>> DnsServer::start(Settings settings) {
  return std::unique_ptr<DnsServer>(new DnsServer(std::make_unique<Impl>(settings)));
}

Result<> DnsServer::add(const model::Id& workload, Sockets sockets,
                        std::shared_ptr<const Zone> zone, std::vector<SocketAddr> upstreams) {
  TRY_DO(check_socket(sockets.udp.get(), SOCK_DGRAM, 0, "resolver's UDP socket"));
  TRY_DO(check_socket(sockets.tcp.get(), SOCK_STREAM, 1, "resolver's TCP socket"));
  if (!zone) zone = std::make_shared<const Zone>();
  impl_->add(workload, std::move(sockets), std::move(zone), std::move(upstreams));
  return {};
}

void DnsServer::update(const model::Id& workload, std::shared_ptr<const Zone> zone) {
  if (!zone) zone = std::make_shared<const Zone>();
  impl_->update(workload, std::move(zone));
}

void DnsServer::remove(const model::Id& workload) {
  impl_->remove(workload);
}

void DnsServer::set_upstreams(std::vector<SocketAddr> upstreams) {
  impl_->set_upstreams(std::move(upstreams));
}

std::vector<DnsServer::Upstream> DnsServer::upstreams() const {
  return impl_->upstreams();
}

DnsServer::Stats DnsServer::stats() const {
  return impl_->stats();
}

}  // namespace heddle::dns
