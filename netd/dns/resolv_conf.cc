#include "netd/dns/resolv_conf.h"

#include <algorithm>

namespace heddle::dns {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<SocketAddr> parse_name_servers(std::string_view text) {
  std::vector<SocketAddr> servers;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (next_word(line) != "nameserver") continue;
    const auto address = IpAddr::parse(next_word(line));
    if (!address) continue;
    const SocketAddr server{*address, 53};
    if (std::ranges::find(servers, server) == servers.end()) servers.push_back(server);
  }
  return servers;
}

}  // namespace heddle::dns
