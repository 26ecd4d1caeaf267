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
  return {settings.upstreams, settings.upstream_attempt, settings.upstream_total,
          settings.max_forwarded};
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
      : shared_(settings, Forwarder(forwarder_settings(settings))),
        work_(asio::make_work_guard(io_)),
        retiring_(io_.get_executor()) {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Impl() {
    run([this] {
      while (!listeners_.empty()) retire(listeners_.begin()->first);
    });
    work_.reset();  // the thread ends with the last task
    thread_.join();
  }

  Shared& shared() { return shared_; }
  const Shared& shared() const { return shared_; }

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
  void add(const model::Id& workload, UniqueFd udp, UniqueFd tcp,
           std::shared_ptr<const Zone> zone) {
    auto slot = std::make_shared<ZoneSlot>(std::move(zone));
    {
      const std::lock_guard lock(zones_mutex_);
      zones_.insert_or_assign(workload, slot);
    }
    asio::post(io_, [this, workload, slot = std::move(slot), udp = std::move(udp),
                     tcp = std::move(tcp)]() mutable {
      retire(workload);
      auto listener = std::make_shared<Listener>(io_.get_executor(), shared_, std::move(udp),
                                                 std::move(tcp), std::move(slot));
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

 private:
  // On the thread, as all below.
  void retire(const model::Id& workload) {
    const auto found = listeners_.find(workload);
    if (found == listeners_.end()) return;
    found->second->close();
    retiring_.spawn(join(found->second));
    listeners_.erase(found);
  }

  static Task<> join(std::shared_ptr<Listener> listener) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await listener->join();
  }

  asio::io_context io_{1};
  Shared shared_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::mutex zones_mutex_;
  std::map<model::Id, std::shared_ptr<ZoneSlot>> zones_;  // guarded by it; those of listeners_
  std::map<model::Id, std::shared_ptr<Listener>> listeners_;
  TaskGroup retiring_;
  std::thread thread_;
};

DnsServer::DnsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DnsServer::~DnsServer() = default;

Result<std::unique_ptr<DnsServer>> DnsServer::start(Settings settings) {
  return std::unique_ptr<DnsServer>(new DnsServer(std::make_unique<Impl>(settings)));
}

Result<> DnsServer::add(const model::Id& workload, UniqueFd udp, UniqueFd tcp,
                        std::shared_ptr<const Zone> zone) {
  TRY_DO(check_socket(udp.get(), SOCK_DGRAM, 0, "resolver's UDP socket"));
  TRY_DO(check_socket(tcp.get(), SOCK_STREAM, 1, "resolver's TCP socket"));
  if (!zone) zone = std::make_shared<const Zone>();
  impl_->add(workload, std::move(udp), std::move(tcp), std::move(zone));
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
  impl_->run([&] { impl_->shared().forwarder.set_servers(std::move(upstreams)); });
}

DnsServer::Stats DnsServer::stats() const {
  const Shared& shared = impl_->shared();
  return {shared.queries, shared.answered, shared.forwarded,
          shared.failed,  shared.dropped,  shared.connections};
}

}  // namespace heddle::dns
