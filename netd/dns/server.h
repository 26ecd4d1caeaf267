#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "netd/dns/zone.h"

namespace heddle::dns {

// Answers the queries of this node's workloads, and of the host, on sockets that others opened in
// their namespaces (bound to 127.0.0.11:53; the TCP one listening). It closes its descriptors
// without shutting the sockets down: whoever keeps duplicates keeps the queries that wait in them.
// Threads: one of its own for all I/O; calls come from any thread and return once they have taken
//          effect there, apart from add(): queries wait in its sockets anyway.
// Bounds:  per workload and in all, see Settings; beyond them queries are answered SERVFAIL and
//          connections closed.
// Source:  RFC 1035, RFC 7766 (TCP), RFC 6891.
class DnsServer final {
 public:
  struct Settings {
    // The host's resolvers, from its /etc/resolv.conf (parse_resolv_conf); reached from the
    // namespace of this process.
    std::vector<SocketAddr> upstreams;
    std::chrono::milliseconds upstream_attempt{1500};
    std::chrono::milliseconds upstream_total{4500};
    std::size_t max_forwarded = 512;
    std::size_t max_forwarded_per_workload = 128;
    std::size_t max_connections = 1024;
    std::size_t max_connections_per_workload = 64;
    std::chrono::milliseconds idle_timeout{10'000};  // of a TCP connection
    std::size_t cache_bytes = 4 << 20;               // of each set of upstreams
  };
  // Counters since the start.
  struct Stats {
    std::uint64_t queries = 0;    // whatever arrived, over UDP and TCP
    std::uint64_t answered = 0;   // from our own names, refusals included
    std::uint64_t forwarded = 0;  // other names
    std::uint64_t cached = 0;     // of these: from the cache
    std::uint64_t joined = 0;     // with the answer to another's question
    std::uint64_t refused = 0;    // because too many were under way
    std::uint64_t failed = 0;     // and SERVFAIL came of it
    std::uint64_t dropped = 0;    // not queries, or no room to send
    std::uint64_t connections = 0;
    // Queries that went to upstreams, and what became of them.
    std::uint64_t upstream_queries = 0;
    std::uint64_t upstream_tcp = 0;
    std::uint64_t upstream_silent = 0;
    std::uint64_t upstream_useless = 0;
    std::uint64_t loops = 0;
    std::uint64_t cache_entries = 0;
    std::uint64_t cache_bytes = 0;
  };
  struct Sockets {
    UniqueFd udp;
    UniqueFd tcp;
  };
  struct Upstream {
    SocketAddr address;
    bool up = true;  // it answered the last question it was asked
  };

  static Result<std::unique_ptr<DnsServer>> start(Settings settings);
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer();

  // Takes over both descriptors. An earlier pair of the workload is closed. Its other names are
  // asked of `upstreams`; empty: of the host's resolvers.
  // Errors: `invalid` when they are not a UDP socket and a listening TCP socket.
  Result<> add(const model::Id& workload, Sockets sockets, std::shared_ptr<const Zone> zone,
               std::vector<SocketAddr> upstreams = {});
  // Absence is fine.
  void update(const model::Id& workload, std::shared_ptr<const Zone> zone);
  void remove(const model::Id& workload);

  void set_upstreams(std::vector<SocketAddr> upstreams);
  std::vector<Upstream> upstreams() const;  // the host's resolvers
  Stats stats() const;

 private:
  class Impl;
  explicit DnsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::dns
