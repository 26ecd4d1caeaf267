#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace heddle::bench {

// Another program that answers the same names: how it is started, with its configuration written to
// `dir`.
struct Peer {
  std::string name;
  std::vector<std::string> command;
};
Peer dnsmasq(const std::string& dir, std::uint16_t port, std::uint16_t upstream);
Peer unbound(const std::string& dir, std::uint16_t port, std::uint16_t upstream);

}  // namespace heddle::bench
