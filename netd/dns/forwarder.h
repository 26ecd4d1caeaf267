#pragma once
#include <chrono>
#include <cstddef>
#include <vector>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/dns/answer.h"

namespace heddle::dns {

// Asks the host's resolvers what is not ours. Each question leaves from a socket of its own, with a
// random port and id, and only a reply from that server with that id and question counts (RFC
// 5452). A server that fails or is silent is passed over until another fails. Threads: one
// executor.
class Forwarder final {
 public:
  struct Settings {
    std::vector<SocketAddr> servers;
    std::chrono::milliseconds attempt{1500};  // for one server
    std::chrono::milliseconds total{4500};    // askers give up after 5 s (resolv.conf(5), timeout)
    std::size_t max_in_flight = 512;
  };
  explicit Forwarder(Settings settings) : settings_(std::move(settings)) {}

  // The reply to pass on, with the query's id: SERVFAIL when no server gave one. Over TCP when the
  // asker came so; over UDP a truncated reply is passed on, and the asker comes again.
  // `query` was parsed.
  Task<Bytes> ask(Bytes query, Transport transport);

  void set_servers(std::vector<SocketAddr> servers);
  std::size_t in_flight() const { return in_flight_; }

 private:
  Task<Result<Bytes>> ask_any(Bytes query, Transport transport);
  Task<Result<Bytes>> ask_one(Bytes query, SocketAddr server, Transport transport,
                              Deadline deadline);

  Settings settings_;
  std::size_t preferred_ = 0;  // the server that answered last
  std::size_t in_flight_ = 0;
};

}  // namespace heddle::dns
