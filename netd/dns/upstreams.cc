#include "netd/dns/upstreams.h"

#include <algorithm>

namespace heddle::dns {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::seconds kFirstPause = 1s;
constexpr std::chrono::seconds kMaxPause = 60s;
constexpr auto kBelieved = 10min;

std::chrono::seconds pause_after(unsigned failures) {
  const unsigned doublings = std::min(failures - 1, 6u);
  return std::min(kFirstPause * (1 << doublings), kMaxPause);
}

}  // namespace

Upstreams::Upstreams(std::vector<SocketAddr> servers) {
  for (SocketAddr& address : servers) servers_.push_back({.address = std::move(address)});
}

std::vector<std::size_t> Upstreams::order() const {
  std::vector<std::size_t> order(servers_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, [this](std::size_t a, std::size_t b) {
    if (up(a) || up(b)) return up(a) && !up(b);
    return servers_[a].retry < servers_[b].retry;
  });
  return order;
}

std::optional<std::size_t> Upstreams::due(Deadline now) {
  if (std::ranges::none_of(servers_, [](const Server& server) { return server.failures == 0; })) {
    return {};  // whoever asks waits for one of them anyway
  }
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Server& server = servers_[i];
    if (server.failures == 0 || now < server.retry) continue;
    // As if it failed again, unless it answers.
    ++server.failures;
    server.retry = now + pause_after(server.failures);
    return i;
  }
  return {};
}

void Upstreams::answered(std::size_t server) {
  servers_[server].failures = 0;
}

void Upstreams::failed(std::size_t server, Deadline now) {
  Server& it = servers_[server];
  // Questions that were under way together fail together: that is one failure.
  if (it.failures > 0 && now < it.retry) return;
  ++it.failures;
  it.retry = now + pause_after(it.failures);
}

void Upstreams::found_lacking(std::size_t server, Lacks what, Deadline now) {
  (what == Lacks::edns ? servers_[server].lacks_edns : servers_[server].lacks_spelling) =
      now + kBelieved;
}

bool Upstreams::lacks(std::size_t server, Lacks what, Deadline now) const {
  return now <
         (what == Lacks::edns ? servers_[server].lacks_edns : servers_[server].lacks_spelling);
}

}  // namespace heddle::dns
