#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "netd/dns/zone.h"

namespace heddle::dns {

// Answers the queries of this node's workloads on sockets that others opened in their namespaces
// (bound to 127.0.0.11:53; the TCP one listening). It closes its descriptors without shutting the
// sockets down: whoever keeps duplicates keeps the queries that wait in them.
// Threads: one of its own for all I/O; calls come from any thread and return once they have taken
//          effect there, apart from add(): queries wait in its sockets anyway.
// Bounds:  per workload and in all, see Settings; beyond them queries are answered SERVFAIL and
//          connections closed.
// Source:  RFC 1035, RFC 7766 (TCP), RFC 6891.
class DnsServer final {
 public:
  struct Settings {
    // The host's resolvers, from its /etc/resolv.conf (parse_name_servers); reached from the
    // namespace of this process.
    std::vector<SocketAddr> upstreams;
    std::chrono::milliseconds upstream_attempt{1500};
    std::chrono::milliseconds upstream_total{4500};
    std::size_t max_forwarded = 512;
    std::size_t max_forwarded_per_workload = 128;
    std::size_t max_connections_per_workload = 64;
    std::chrono::milliseconds idle_timeout{10'000};  // of a TCP connection
  };
  // Counters since the start.
  struct Stats {
    std::uint64_t queries = 0;   // whatever arrived, over UDP and TCP
    std::uint64_t answered = 0;  // from our own names, refusals included
    std::uint64_t forwarded = 0;
    std::uint64_t failed = 0;   // forwarded, and SERVFAIL came of it
    std::uint64_t dropped = 0;  // not queries, or no room to send
    std::uint64_t connections = 0;
  };

  static Result<std::unique_ptr<DnsServer>> start(Settings settings);
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer();

  // Takes over both descriptors. An earlier pair of the workload is closed.
  // Errors: `invalid` when they are not a UDP socket and a listening TCP socket.
  Result<> add(const model::Id& workload, UniqueFd udp, UniqueFd tcp,
               std::shared_ptr<const Zone> zone);
  // Absence is fine.
  void update(const model::Id& workload, std::shared_ptr<const Zone> zone);
  void remove(const model::Id& workload);

  void set_upstreams(std::vector<SocketAddr> upstreams);
  Stats stats() const;

 private:
  class Impl;
  explicit DnsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::dns
