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
#include "netd/dns/udp_batch.h"

namespace heddle::dns {

// What all listeners of one server share. Counters are read from other threads.
struct Shared {
  explicit Shared(const DnsServer::Settings& s) : settings(s) {}

  // Whether a listener that waits for `own` forwarded answers may wait for another. When most of
  // the room is taken, only those that take little of it: one that floods starves no other.
  bool admits(std::size_t own) const;

  const DnsServer::Settings settings;
  UdpBatch batch{kMaxQuery};  // the thread's alone, as the next three
  std::size_t waiting = 0;    // forwarded answers, of all listeners
  std::size_t open = 0;       // TCP connections, of all listeners
  Forwarder::Counters upstream;
  std::atomic<std::uint64_t> queries{0}, answered{0}, forwarded{0}, failed{0}, refused{0},
      dropped{0}, connections{0};
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
  Listener(const asio::any_io_executor& executor, Shared& shared, DnsServer::Sockets sockets,
           std::shared_ptr<const ZoneSlot> zone, std::shared_ptr<Forwarder> forwarder);

  void start();
  void close();
  Task<> join() { return tasks_.join(); }
  bool closed() const { return closed_; }

  // One query: our own answer or the cache's, or nothing when it is to be asked upstream or dropped
  // (`kind` tells).
  Answer take(ByteView message, Transport transport);
  // The forwarded reply, always one. Counts.
  Task<Bytes> relay(Bytes message, Query query, Transport transport);
  const Shared& shared() const { return shared_; }

 private:
  Task<> serve_udp();
  bool receive_some();
  void handle_udp(int i);
  Task<> relay_udp(Bytes message, Query query, UdpBatch::Peer peer);
  Task<> serve_tcp();
  Task<> serve_connection(UniqueFd socket);

  Shared& shared_;
  asio::posix::stream_descriptor udp_;
  asio::posix::stream_descriptor tcp_;
  std::shared_ptr<const ZoneSlot> zone_;
  std::shared_ptr<Forwarder> forwarder_;
  std::size_t waiting_ = 0;            // forwarded answers
  std::set<Connection*> connections_;  // each lives as long as it is here
  bool closed_ = false;
  TaskGroup tasks_;
};

}  // namespace heddle::dns
