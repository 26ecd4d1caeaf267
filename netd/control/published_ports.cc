#include "netd/control/published_ports.h"

#include <algorithm>

namespace heddle::control {
namespace {

using model::PublishedPort;
using model::PublishedProtocol;

constexpr std::uint32_t kLastPort = 65535;

std::string range(std::uint16_t first, std::uint16_t count) {
  if (first == 0) return "?";
  std::string text = std::to_string(first);
  if (count > 1) text += "-" + std::to_string(first + count - 1);
  return text;
}

std::string_view name(PublishedProtocol protocol) {
  if (protocol == PublishedProtocol::tcp) return "/tcp";
  return protocol == PublishedProtocol::udp ? "/udp" : "/sctp";
}

// Absent: both families' unspecified ones.
bool meet(const std::optional<IpAddr>& a, const std::optional<IpAddr>& b) {
  if (!a || !b) return true;
  if (a->is_v4() != b->is_v4()) return false;
  return *a == *b || a->is_unspecified() || b->is_unspecified();
}

Result<> check_range(const PublishedPort& port) {
  const auto refuse = [&](std::string_view why) {
    return fail(Errc::invalid, "published port " + format(port) + ": " + std::string(why));
  };
  if (port.count == 0) return refuse("the range holds no port");
  if (port.port == 0) return refuse("the workload's port must be from 1 to 65535");
  if (std::uint32_t{port.port} + port.count - 1 > kLastPort) {
    return refuse("the workload's ports end after 65535");
  }
  if (port.host_port != 0 && std::uint32_t{port.host_port} + port.count - 1 > kLastPort) {
    return refuse("the host's ports end after 65535");
  }
  return {};
}

bool has_family(const model::Endpoint& endpoint, bool v4) {
  return endpoint.address.address.is_v4() == v4 || (!v4 && endpoint.address6);
}

}  // namespace

std::string format(const PublishedPort& port) {
  std::string text;
  if (port.host_address) {
    text = port.host_address->is_v4() ? port.host_address->format()
                                      : "[" + port.host_address->format() + "]";
    text += ":";
  }
  text += range(port.host_port, port.count) + "->" + range(port.port, port.count);
  return text.append(name(port.protocol));
}

bool overlap(const PublishedPort& a, const PublishedPort& b) {
  if (a.protocol != b.protocol || !meet(a.host_address, b.host_address)) return false;
  if (a.host_port == 0 || b.host_port == 0) return false;  // not chosen yet
  return a.host_port < std::uint32_t{b.host_port} + b.count &&
         b.host_port < std::uint32_t{a.host_port} + a.count;
}

std::vector<IpAddr> host_addresses_of(const PublishedPort& port, const model::Endpoint& endpoint) {
  if (port.host_address) return {*port.host_address};
  std::vector<IpAddr> all;
  if (has_family(endpoint, true)) all.push_back(IpAddr());
  if (has_family(endpoint, false)) all.push_back(IpAddr::v6({}));
  return all;
}

Result<> check_ports(const PublishedPorts& ports, const model::Endpoint& endpoint) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    TRY_DO(check_range(ports[i]));
    const auto& address = ports[i].host_address;
    if (address && !has_family(endpoint, address->is_v4())) {
      return fail(Errc::invalid, "published port " + format(ports[i]) + ": the endpoint has no " +
                                     (address->is_v4() ? "IPv4" : "IPv6") + " address");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (overlap(ports[j], ports[i])) {
        return fail(Errc::invalid, "published ports " + format(ports[j]) + " and " +
                                       format(ports[i]) + " take the same port of the host");
      }
    }
  }
  return {};
}

Result<> check_unpublished(const PublishedPort& port, const model::Id& endpoint,
                           const model::Table<model::Endpoint>& endpoints) {
  for (const auto& [id, other] : endpoints) {
    if (id == endpoint) continue;
    for (const PublishedPort& theirs : other.published) {
      if (!overlap(theirs, port)) continue;
      return fail(Errc::in_use, "port " + format(port) + " cannot be published: '" +
                                    other.workload_name + "' has " + format(theirs) +
                                    "; take that away (heddle port rm) or publish another");
    }
  }
  return {};
}

Result<PublishedPorts> without(PublishedPorts from, const PublishedPorts& removed) {
  for (const PublishedPort& port : removed) {
    const auto found = std::ranges::find_if(from, [&](PublishedPort there) {
      if (port.host_port == 0) there.host_port = 0;
      return there == port;
    });
    if (found == from.end()) {
      std::string published;
      for (const PublishedPort& there : from) {
        published += (published.empty() ? "" : ", ") + format(there);
      }
      return fail(Errc::not_found, "port " + format(port) + " is not published; published is: " +
                                       (published.empty() ? "nothing" : published));
    }
    from.erase(found);
  }
  return from;
}

}  // namespace heddle::control
