#pragma once
#include <cstddef>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/net/ip.h"

namespace heddle::dns {

// The servers of one resolv.conf and how they have behaved. Pure: the time comes in. Not
// thread-safe.
//
// | event    | up                            | down                                   |
// |----------|-------------------------------|----------------------------------------|
// | answered | stays up                      | up                                     |
// | failed   | down for 1 s                  | down for twice as long, up to a minute |
// | asked    | in the order of resolv.conf   | last, the one that was tried longest   |
// |          |                               | ago first                              |
//
// When its time is over a server is not trusted with a question that somebody waits for: `due`
// names it once, and the caller asks it beside another.
class Upstreams final {
 public:
  explicit Upstreams(std::vector<SocketAddr> servers);

  std::size_t size() const { return servers_.size(); }
  const SocketAddr& address(std::size_t server) const { return servers_[server].address; }
  bool up(std::size_t server) const { return servers_[server].failures == 0; }

  std::vector<std::size_t> order() const;
  std::optional<std::size_t> due(Deadline now);

  void answered(std::size_t server);
  void failed(std::size_t server, Deadline now);

  // What it was found not to know, believed for ten minutes.
  enum class Lacks { edns, spelling };
  void found_lacking(std::size_t server, Lacks what, Deadline now);
  bool lacks(std::size_t server, Lacks what, Deadline now) const;

 private:
  struct Server {
    SocketAddr address;
    unsigned failures = 0;  // in a row
    Deadline retry{};       // when it has some
    Deadline lacks_edns{};  // until then
    Deadline lacks_spelling{};
  };
  std::vector<Server> servers_;
};

}  // namespace heddle::dns
