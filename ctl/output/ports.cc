#include "ctl/output/ports.h"

#include <algorithm>
#include <ostream>

#include "ctl/output/words.h"

namespace heddle::output {
namespace {

std::vector<IpAddr> addresses_of(const model::PublishedPort& port) {
  if (port.host_address) return {*port.host_address};
  return {IpAddr::v4(0), IpAddr::v6({})};
}

}  // namespace

void print_ports(std::ostream& out, const std::vector<model::PublishedPort>& ports) {
  auto sorted = ports;
  std::ranges::sort(sorted, {}, [](const auto& port) {
    return std::tuple(port.port, port.protocol, port.host_address, port.host_port);
  });
  for (const auto& port : sorted) {
    for (unsigned i = 0; i < port.count; ++i) {
      for (const auto& address : addresses_of(port)) {
        const SocketAddr host{address, static_cast<std::uint16_t>(port.host_port + i)};
        out << port.port + i << "/" << word(port.protocol) << " -> " << host.format() << "\n";
      }
    }
  }
}

std::vector<model::PublishedPort> chosen_of(const std::vector<model::PublishedPort>& published,
                                            const std::vector<model::PublishedPort>& asked) {
  std::vector<model::PublishedPort> chosen;
  for (const auto& port : published) {
    if (std::ranges::find(asked, port) == asked.end()) chosen.push_back(port);
  }
  return chosen;
}

}  // namespace heddle::output
