#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "dataplane/intent/host_state.h"

// Pure. Threads: any.
namespace heddle::conntrack {

// One direction of a connection.
struct Tuple {
  SocketAddr source;
  SocketAddr destination;
  friend bool operator==(const Tuple&, const Tuple&) = default;
};

// As the client sent it, and as answers are expected: the two mirror each other unless addresses
// are translated.
struct Flow {
  std::uint8_t protocol = 0;  // IPPROTO_*
  Tuple original;
  Tuple reply;
  friend bool operator==(const Flow&, const Flow&) = default;
};

using Published = std::map<dataplane::PublishedKey, dataplane::PublishedTarget>;

// Which connections a change of published ports made wrong:
//   - those that went through a removed port to where it led, and those that the endpoint itself
//     began from there, whose answers arrive at the port;
//   - those to an added port that lead elsewhere: to the host itself, or, when the port is of one
//     address, to where the port of all addresses leads.
// An added port of all addresses stands for this host's alone: `is_local` tells.
class Stale final {
 public:
  Stale(const Published& removed, const Published& added,
        std::function<bool(const IpAddr&)> is_local);
  bool contains(const Flow& flow) const;
  bool empty() const { return removed_.empty() && added_.empty(); }
  bool has_family(bool v4) const;

 private:
  using Ports =
      std::map<std::pair<std::uint8_t, std::uint16_t>,  // protocol, port
               std::vector<std::pair<dataplane::PublishedKey, dataplane::PublishedTarget>>>;
  Ports removed_;
  Ports added_;
  std::function<bool(const IpAddr&)> is_local_;
};

}  // namespace heddle::conntrack
