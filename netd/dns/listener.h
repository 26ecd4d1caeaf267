#pragma once
#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <set>

#include "common/async/task_group.h"
#include "common/base/unique_fd.h"
#include "netd/dns/forwarder.h"
#include "netd/dns/message.h"
#include "netd/dns/server.h"

namespace heddle::dns {

// What all listeners of one server share. Counters are read from other threads.
struct Shared {
  Shared(const DnsServer::Settings& s, Forwarder f) : settings(s), forwarder(std::move(f)) {}

  const DnsServer::Settings settings;
  Forwarder forwarder;
  Bytes buffer = Bytes(kMaxQuery + 1);  // of the query that is being read; the thread's alone
  std::atomic<std::uint64_t> queries{0}, answered{0}, forwarded{0}, failed{0}, dropped{0},
      connections{0};
};

class Connection;

// What a workload can resolve now: replaced from any thread, read by the listener.
class ZoneSlot final {
 public:
  explicit ZoneSlot(std::shared_ptr<const Zone> zone) : zone_(std::move(zone)) {}
  void set(std::shared_ptr<const Zone> zone) {
    const std::lock_guard lock(mutex_);
    zone_.swap(zone);
  }
  std::shared_ptr<const Zone> get() const {
    const std::lock_guard lock(mutex_);
    return zone_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Zone> zone_;  // never null
};

// The two sockets of one workload. Threads: one executor. Its tasks hold it; close() ends them, and
// join() must be awaited before the last reference goes.
class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  Listener(const asio::any_io_executor& executor, Shared& shared, UniqueFd udp, UniqueFd tcp,
           std::shared_ptr<const ZoneSlot> zone);

  void start();
  void close();
  Task<> join() { return tasks_.join(); }
  bool closed() const { return closed_; }

  // One query: our own answer, or nothing when it is to be forwarded or dropped (`kind` tells).
  Answer take(ByteView query, Transport transport);
  // The forwarded reply, always one. Counts.
  Task<Bytes> relay(Bytes query, Transport transport);
  const Shared& shared() const { return shared_; }

 private:
  Task<> serve_udp();
  bool receive_some();
  void handle_udp(ByteView query, const void* peer, unsigned peer_size);
  Task<> relay_udp(Bytes query, std::vector<std::uint8_t> peer);
  void send_udp(const Bytes& reply, const void* peer, unsigned peer_size);
  Task<> serve_tcp();
  Task<> serve_connection(UniqueFd socket);

  Shared& shared_;
  asio::posix::stream_descriptor udp_;
  asio::posix::stream_descriptor tcp_;
  std::shared_ptr<const ZoneSlot> zone_;
  std::size_t forwards_ = 0;
  std::set<Connection*> connections_;  // each lives as long as it is here
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace heddle::dns
