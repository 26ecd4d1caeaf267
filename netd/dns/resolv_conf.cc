#include "netd/dns/resolv_conf.h"

#include <algorithm>

#include "netd/dns/zone.h"

namespace heddle::dns {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

std::vector<std::string> rest_of(std::string_view line) {
  std::vector<std::string> words;
  for (auto word = next_word(line); !word.empty(); word = next_word(line)) words.emplace_back(word);
  return words;
}

void add_server(std::string_view text, std::vector<SocketAddr>& servers) {
  const auto address = IpAddr::parse(text);
  if (!address) return;
  const SocketAddr server{*address, 53};
  if (std::ranges::find(servers, server) == servers.end()) servers.push_back(server);
}

// `ndots:2` and `ndots` are options of one name.
std::string_view name_of(std::string_view option) {
  return option.substr(0, option.find(':'));
}

void append_line(std::string& text, std::string_view keyword,
                 const std::vector<std::string>& words) {
  if (words.empty()) return;
  text += keyword;
  for (const std::string& word : words) text.append(" ").append(word);
  text += '\n';
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view keyword = next_word(line);
    if (keyword == "nameserver") {
      add_server(next_word(line), conf.servers);
    } else if (keyword == "search" || keyword == "domain") {
      conf.search = rest_of(line);
    } else if (keyword == "options") {
      std::ranges::move(rest_of(line), std::back_inserter(conf.options));
    }
  }
  return conf;
}

std::string resolv_conf_for(const model::WorkloadDns& own, const ResolvConf& host) {
  std::vector<std::string> search;
  if (own.search != std::vector<std::string>{"."}) {
    search.emplace_back(kDomain);
    for (const std::string& domain : own.search.empty() ? host.search : own.search) {
      if (domain != "." && std::ranges::find(search, domain) == search.end()) {
        search.push_back(domain);
      }
    }
  }
  std::vector<std::string> options = own.options.empty() ? host.options : own.options;
  for (const std::string_view ours : {"ndots:0", "timeout:2", "attempts:2"}) {
    const bool given = std::ranges::any_of(
        options, [ours](const std::string& option) { return name_of(option) == name_of(ours); });
    if (!given) options.emplace_back(ours);
  }
  std::string text = "nameserver " + kWorkloadResolver.format() + "\n";
  append_line(text, "search", search);
  append_line(text, "options", options);
  return text;
}

}  // namespace heddle::dns
