#include "netd/model/workload_dns.h"

#include <algorithm>

namespace heddle::model {
namespace {

constexpr std::size_t kMaxWords = 32;  // of a kind
constexpr std::size_t kMaxWord = 253;  // a name in text: RFC 1035, section 2.3.4
constexpr std::string_view kBlank = " \t\r\n";

// `#` and `;` begin comments there.
bool fits_resolv_conf(std::string_view word) {
  return !word.empty() && word.size() <= kMaxWord && std::ranges::all_of(word, [](char c) {
    return c > ' ' && c < 0x7f && c != '#' && c != ';';
  });
}

std::vector<std::string> words_of(const Labels& labels, const char* label) {
  std::vector<std::string> words;
  const auto found = labels.find(label);
  if (found == labels.end()) return words;
  std::string_view text = found->second;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    if (text.empty()) return words;
    words.emplace_back(text.substr(0, text.find_first_of(kBlank)));
    text.remove_prefix(words.back().size());
  }
}

void put(const char* label, const std::vector<std::string>& words, Labels& labels) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  if (!text.empty()) labels[label] = std::move(text);
}

}  // namespace

Result<std::vector<IpAddr>> parse_dns_servers(const std::vector<std::string>& texts) {
  TRY_DO(check_dns_words(texts));
  std::vector<IpAddr> servers;
  for (const std::string& text : texts) {
    TRY(const IpAddr server, IpAddr::parse(text));
    // 127.0.0.11 is where workloads ask us.
    if (server == IpAddr::v4(0x7f00000b) || server.is_unspecified() || server.is_multicast()) {
      return fail(Errc::invalid,
                  text +
                      " is no server that this host can ask; name one that answers it, or none for "
                      "the host's own");
    }
    servers.push_back(server);
  }
  return servers;
}

Result<> check_dns_words(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (fits_resolv_conf(word)) continue;
    return fail(Errc::invalid, "'" + word.substr(0, 80) +
                                   "' is no word of resolv.conf: up to 253 letters, digits and "
                                   "signs, without blanks, # and ;");
  }
  if (words.size() > kMaxWords) {
    return fail(Errc::invalid, std::to_string(words.size()) + " words are more than the " +
                                   std::to_string(kMaxWords) + " that it may have");
  }
  return {};
}

Result<WorkloadDns> dns_of(const Labels& labels) {
  WorkloadDns dns;
  TRY(dns.servers, parse_dns_servers(words_of(labels, kDnsServersLabel)).during(kDnsServersLabel));
  dns.search = words_of(labels, kDnsSearchLabel);
  TRY_DO(check_dns_words(dns.search).during(kDnsSearchLabel));
  dns.options = words_of(labels, kDnsOptionsLabel);
  TRY_DO(check_dns_words(dns.options).during(kDnsOptionsLabel));
  return dns;
}

void put_dns(const WorkloadDns& dns, Labels& labels) {
  std::vector<std::string> servers;
  for (const IpAddr& server : dns.servers) servers.push_back(server.format());
  put(kDnsServersLabel, servers, labels);
  put(kDnsSearchLabel, dns.search, labels);
  put(kDnsOptionsLabel, dns.options, labels);
}

}  // namespace heddle::model
