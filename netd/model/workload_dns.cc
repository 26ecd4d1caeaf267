#include "netd/model/workload_dns.h"

#include <algorithm>

namespace heddle::model {
namespace {

constexpr std::size_t kMaxWords = 32;  // of a kind
constexpr std::size_t kMaxWord = 253;  // a name in text: RFC 1035, section 2.3.4
constexpr std::string_view kBlank = " \t\r\n";

// `#` and `;` begin comments there.
bool fits_resolv_conf(std::string_view word) {
  return word.size() <= kMaxWord && std::ranges::all_of(word, [](char c) {
           return c > ' ' && c < 0x7f && c != '#' && c != ';';
         });
}

Result<std::vector<std::string>> words_of(const Labels& labels, const char* label) {
  std::vector<std::string> words;
  const auto found = labels.find(label);
  if (found == labels.end()) return words;
  std::string_view text = found->second;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
    if (text.empty()) return words;
    const std::string_view word = text.substr(0, text.find_first_of(kBlank));
    text.remove_prefix(word.size());
    if (!fits_resolv_conf(word)) {
      return fail(Errc::invalid, std::string(label) + ": '" + std::string(word.substr(0, 80)) +
                                     "' is no word of resolv.conf: up to 253 letters, digits and "
                                     "signs, without # and ;");
    }
    if (words.size() == kMaxWords) {
      return fail(Errc::invalid, std::string(label) + " has more than 32 words");
    }
    words.emplace_back(word);
  }
}

void put(const char* label, const std::vector<std::string>& words, Labels& labels) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  if (!text.empty()) labels[label] = std::move(text);
}

}  // namespace

Result<WorkloadDns> dns_of(const Labels& labels) {
  WorkloadDns dns;
  TRY(const auto servers, words_of(labels, kDnsServersLabel));
  for (const std::string& word : servers) {
    TRY(const IpAddr server, IpAddr::parse(word).during(kDnsServersLabel));
    // 127.0.0.11 is where workloads ask us.
    if (server == IpAddr::v4(0x7f00000b) || server.is_unspecified() || server.is_multicast()) {
      return fail(Errc::invalid, std::string(kDnsServersLabel) + ": " + word +
                                     " is no server that this host can ask; name one that answers "
                                     "it, or none for the host's own");
    }
    dns.servers.push_back(server);
  }
  TRY(dns.search, words_of(labels, kDnsSearchLabel));
  TRY(dns.options, words_of(labels, kDnsOptionsLabel));
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
