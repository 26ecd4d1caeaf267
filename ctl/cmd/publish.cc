#include "ctl/cmd/publish.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace heddle::cmd {
namespace {

using model::PublishedPort;
using model::PublishedProtocol;

struct PortRange {
  unsigned first = 0;
  unsigned last = 0;
  unsigned count() const { return last - first + 1; }
};

// The parts of a text, none of them understood yet.
struct Parts {
  std::string address;  // "": none
  std::string host;     // "": to be chosen
  std::string port;
  std::string protocol;  // "": tcp
};

Result<unsigned> parse_one(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && number >= 1 && number <= 65535) return number;
  return fail(Errc::invalid, "'" + std::string(text) + "' must be a port from 1 to 65535");
}

Result<PortRange> parse_range(std::string_view which, std::string_view text) {
  const auto dash = text.find('-');
  PortRange range;
  TRY(range.first, parse_one(text.substr(0, dash)).during(which));
  range.last = range.first;
  if (dash != std::string_view::npos) {
    TRY(range.last, parse_one(text.substr(dash + 1)).during(which));
  }
  if (range.last >= range.first) return range;
  return fail(Errc::invalid, std::string(which) + ": the range " + std::string(text) +
                                 " runs backwards; write " + std::to_string(range.last) + "-" +
                                 std::to_string(range.first));
}

Result<PublishedProtocol> parse_protocol(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (text == "tcp") return PublishedProtocol::tcp;
  if (text == "udp") return PublishedProtocol::udp;
  if (text == "sctp") return PublishedProtocol::sctp;
  return fail(Errc::invalid, "protocol '" + text + "' is unknown; choose tcp, udp or sctp");
}

// `HOST:PORT`, of which the first colon is the last one too.
Result<> split_ports(const std::string& text, Parts& parts) {
  const auto colon = text.find(':');
  if (colon == std::string::npos || text.find(':', colon + 1) != std::string::npos) {
    return fail(Errc::invalid, "after the address must come :HOST:PORT or ::PORT");
  }
  parts.host = text.substr(0, colon);
  parts.port = text.substr(colon + 1);
  return {};
}

Result<Parts> split(const std::string& text) {
  Parts parts;
  std::string rest = text;
  if (const auto slash = rest.find('/'); slash != std::string::npos) {
    parts.protocol = rest.substr(slash + 1);
    rest.resize(slash);
    if (parts.protocol.empty()) {
      return fail(Errc::invalid, "no protocol after '/'; choose tcp, udp or sctp");
    }
  }
  if (rest.starts_with('[')) {
    const auto end = rest.find("]:");
    if (end == std::string::npos) {
      return fail(Errc::invalid, "after an address in brackets must come :HOST:PORT or ::PORT");
    }
    parts.address = rest.substr(1, end - 1);
    if (parts.address.find(':') == std::string::npos) {
      return fail(Errc::invalid, "'" + parts.address + "' in brackets is no IPv6 address");
    }
    TRY_DO(split_ports(rest.substr(end + 2), parts));
    return parts;
  }
  switch (std::ranges::count(rest, ':')) {
    case 0:
      parts.port = rest;
      return parts;
    case 1:
      TRY_DO(split_ports(rest, parts));
      return parts;
    case 2:
      parts.address = rest.substr(0, rest.find(':'));
      TRY_DO(split_ports(rest.substr(rest.find(':') + 1), parts));
      if (parts.address.empty()) return fail(Errc::invalid, "the address is missing");
      return parts;
    default:
      return fail(Errc::invalid, "there are too many colons; an IPv6 address stands in brackets");
  }
}

Result<std::optional<IpAddr>> parse_address(const std::string& text) {
  if (text.empty()) return std::optional<IpAddr>();
  TRY(const IpAddr address, IpAddr::parse(text).during("address of the host"));
  if (address.is_multicast()) {
    return fail(Errc::invalid, "address of the host: " + text + " is a multicast address");
  }
  return std::optional(address);
}

Result<std::vector<PublishedPort>> parse_all(const std::string& text) {
  TRY(const Parts parts, split(text));
  if (parts.port.empty()) {
    return fail(Errc::invalid, "the workload's port is missing: [ADDRESS:][HOST:]PORT");
  }
  PublishedPort published;
  TRY(published.host_address, parse_address(parts.address));
  if (!parts.protocol.empty()) {
    TRY(published.protocol, parse_protocol(parts.protocol));
  }
  TRY(const PortRange ports, parse_range("port of the workload", parts.port));
  published.port = static_cast<std::uint16_t>(ports.first);
  if (parts.host.empty()) {
    std::vector<PublishedPort> each(ports.count(), published);
    for (unsigned i = 0; i < ports.count(); ++i) {
      each[i].port = static_cast<std::uint16_t>(ports.first + i);
    }
    return each;
  }
  if (IpAddr::parse(parts.host)) {
    return fail(Errc::invalid, "no port of the host beside its address; write " + parts.host +
                                   "::" + parts.port + " to have one chosen");
  }
  TRY(const PortRange hosts, parse_range("port of the host", parts.host));
  if (hosts.count() != ports.count()) {
    return fail(Errc::invalid, "the ranges " + parts.host + " and " + parts.port +
                                   " differ in length: " + std::to_string(hosts.count()) + " and " +
                                   std::to_string(ports.count()));
  }
  published.host_port = static_cast<std::uint16_t>(hosts.first);
  published.count = static_cast<std::uint16_t>(hosts.count());
  return std::vector{published};
}

}  // namespace

Result<std::vector<PublishedPort>> parse_publish(std::string_view what, const std::string& text) {
  return parse_all(text).during(std::string(what) + " '" + text + "'");
}

Result<std::vector<PublishedPort>> parse_publish(std::string_view what,
                                                 const std::vector<std::string>& texts) {
  std::vector<PublishedPort> all;
  for (const auto& text : texts) {
    TRY(const auto ports, parse_publish(what, text));
    all.insert(all.end(), ports.begin(), ports.end());
    if (all.size() <= kMaxPublished) continue;
    return fail(Errc::invalid, std::string(what) + " '" + text + "': these are more than " +
                                   std::to_string(kMaxPublished) +
                                   " ports without one of the host; give a range of the host's");
  }
  return all;
}

}  // namespace heddle::cmd
