#include "netd/control/resolvers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <set>

#include "common/observe/log.h"
#include "dataplane/netns/netns.h"
#include "netd/dns/resolv_conf.h"
#include "netd/dns/zone.h"
#include "netd/model/workload_dns.h"

namespace heddle::control {
namespace {

const SocketAddr kResolver{dns::kWorkloadResolver, 53};
const model::Id kHost = "host";  // no id of a workload, which are hexadecimal
constexpr std::string_view kUdp = "/udp";
constexpr std::string_view kTcp = "/tcp";

std::string keep_name(const model::Id& workload, std::string_view transport) {
  return "dns/" + workload + std::string(transport);
}

UniqueFd duplicate(const UniqueFd& fd) {
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

// What a socket is bound to; nothing when that cannot be told.
std::optional<SocketAddr> address_of(const UniqueFd& fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return SocketAddr{IpAddr::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (storage.ss_family != AF_INET6) return {};
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return SocketAddr{IpAddr::v6(bytes), ntohs(v6.sin6_port)};
}

}  // namespace

Resolvers::Resolvers(dns::DnsServer& server, holder::Keeper& keeper,
                     std::map<std::string, UniqueFd>& kept, HostDns host)
    : server_(server), keeper_(keeper), host_(std::move(host)) {
  set_host_state(host_.address ? "starting" : "off; heddled --host-dns ADDRESS turns it on");
  if (host_.upstreams) upstreams_ = host_.upstreams();
  for (auto it = kept.begin(); it != kept.end();) {
    const std::string& name = it->first;
    if (!name.starts_with("dns/")) {
      ++it;
      continue;
    }
    const model::Id workload = name.substr(4, name.size() - 4 - kUdp.size());
    (name.ends_with(kUdp) ? adopted_[workload].udp : adopted_[workload].tcp) =
        std::move(it->second);
    it = kept.erase(it);
  }
}

void Resolvers::update(const ViewPtr& view, const std::set<std::string>& missing_sandboxes) {
  Touched all;
  for (const auto& [id, network] : view->networks) all.networks.insert(id);
  for (const auto& [id, names] : names_) all.networks.insert(id);
  for (const auto& [id, workload] : view->workloads) all.workloads.insert(id);
  for (const auto& [id, sockets] : open_) all.workloads.insert(id);
  update(view, missing_sandboxes, all);
  if (!host_sockets_.udp) open_host();
  settle_host();
  drop_adopted();
}

void Resolvers::update(const ViewPtr& view, const std::set<std::string>& missing_sandboxes,
                       const Touched& touched) {
  for (const model::Id& id : touched.networks) {
    if (!view->networks.contains(id)) {
      names_.erase(id);
    } else if (const auto known = names_.find(id); known != names_.end()) {
      known->second->set(view);
    } else {
      names_.emplace(id, std::make_shared<dns::CurrentNames>(id, view));
    }
  }
  settle_host();
  std::set<model::Id> workloads = touched.workloads;
  workloads.insert(failed_.begin(), failed_.end());
  if (workloads.empty()) return;
  const auto attached = dns::attached_networks(*view, &workloads);
  for (const model::Id& id : workloads) {
    const auto networks = attached.find(id);
    settle(view, missing_sandboxes, id, networks == attached.end() ? Networks() : networks->second);
  }
}

void Resolvers::settle(const ViewPtr& view, const std::set<std::string>& missing_sandboxes,
                       const model::Id& id, const Networks& networks) {
  const auto workload = view->workloads.find(id);
  const bool wanted = !networks.empty() && workload != view->workloads.end() &&
                      !missing_sandboxes.contains(workload->second.sandbox);
  if (!wanted) {
    failed_.erase(id);
    if (open_.contains(id)) close(id);
    return;
  }
  const bool known = open_.contains(id);
  if (known && attached_[id] == networks) return;
  if (!known && !open(workload->second)) return;
  std::vector<std::shared_ptr<const dns::CurrentNames>> names;
  for (const model::Id& network : networks) names.push_back(names_.at(network));
  auto zone = std::make_shared<const dns::Zone>(std::move(names));
  attached_[id] = networks;
  if (known) {
    server_.update(id, std::move(zone));
    return;
  }
  const Sockets& sockets = open_.at(id);
  std::vector<SocketAddr> upstreams;
  // They were checked when the workload was made.
  if (const auto own = model::dns_of(workload->second.labels)) {
    for (const IpAddr& server : own->servers) upstreams.push_back({server, 53});
  }
  auto added = server_.add(id, {duplicate(sockets.udp), duplicate(sockets.tcp)}, std::move(zone),
                           std::move(upstreams));
  if (!added) {
    log_warn("resolver.failed", {{"workload", id}, {"error", added.error()}});
    close(id);
  }
}

// What an earlier daemon kept for workloads that are gone.
void Resolvers::drop_adopted() {
  for (auto& [id, sockets] : std::exchange(adopted_, {})) {
    for (const std::string_view transport : {kUdp, kTcp}) {
      if (auto dropped = keeper_.drop(keep_name(id, transport)); !dropped) {
        log_warn("resolver.drop", {{"workload", id}, {"error", dropped.error()}});
      }
    }
  }
}

Result<Resolvers::Sockets> Resolvers::obtain(const model::Id& id, const std::string& sandbox,
                                             const SocketAddr& address) {
  if (const auto kept = adopted_.find(id); kept != adopted_.end()) {
    Sockets sockets = std::move(kept->second);
    adopted_.erase(kept);
    // The host's address may be another one now.
    if (sockets.udp && sockets.tcp && address_of(sockets.udp) == address) return sockets;
  }
  Sockets sockets;
  TRY(const UniqueFd netns, netns::open(sandbox));
  TRY(sockets.udp, netns::bind_udp(netns.get(), address));
  TRY(sockets.tcp, netns::listen_tcp(netns.get(), address));
  TRY_DO(keeper_.put(keep_name(id, kUdp), sockets.udp.get()));
  TRY_DO(keeper_.put(keep_name(id, kTcp), sockets.tcp.get()));
  return sockets;
}

bool Resolvers::open(const model::Workload& workload) {
  auto sockets = obtain(workload.id, workload.sandbox, kResolver);
  if (!sockets) {
    if (failed_.insert(workload.id).second) {
      log_warn("resolver.failed", {{"workload", workload.name}, {"error", sockets.error()}});
    }
    return false;
  }
  failed_.erase(workload.id);
  open_[workload.id] = *std::move(sockets);
  return true;
}

void Resolvers::open_host() {
  if (!host_.address) return;
  auto sockets = obtain(kHost, "/proc/self/ns/net", *host_.address);
  if (!sockets) {
    const std::string state = "off: " + sockets.error().text() +
                              "; free the address or give another one to heddled --host-dns";
    if (host_state() != state) {
      log_warn("resolver.host_failed",
               {{"address", host_.address->format()}, {"error", sockets.error()}});
    }
    set_host_state(state);
    return;
  }
  host_sockets_ = *std::move(sockets);
  log_info("resolver.host", {{"address", host_.address->format()}});
  set_host_state("at " + host_.address->format());
}

void Resolvers::settle_host() {
  if (!host_sockets_.udp) return;
  Networks networks;
  std::vector<std::shared_ptr<const dns::CurrentNames>> names;
  for (const auto& [id, current] : names_) {
    networks.push_back(id);
    names.push_back(current);
  }
  if (host_networks_ == networks) return;
  auto zone = std::make_shared<const dns::Zone>(std::move(names), host_.audience);
  if (host_networks_) {
    server_.update(kHost, std::move(zone));
  } else {
    const Sockets& sockets = host_sockets_;
    auto added =
        server_.add(kHost, {duplicate(sockets.udp), duplicate(sockets.tcp)}, std::move(zone));
    if (!added) {
      log_warn("resolver.host_failed", {{"error", added.error()}});
      return;
    }
  }
  host_networks_ = std::move(networks);
}

void Resolvers::look_at_host() {
  if (host_.address && !host_sockets_.udp) {
    open_host();
    settle_host();
  }
  if (!host_.upstreams) return;
  auto upstreams = host_.upstreams();
  if (upstreams == upstreams_) return;
  std::string list;
  for (const SocketAddr& server : upstreams) {
    list.append(list.empty() ? "" : " ").append(server.format());
  }
  log_info("resolver.upstreams", {{"servers", list.empty() ? "none" : list}});
  upstreams_ = upstreams;
  server_.set_upstreams(std::move(upstreams));
}

std::string Resolvers::host_state() const {
  const std::lock_guard lock(host_mutex_);
  return host_state_;
}

void Resolvers::set_host_state(std::string state) {
  const std::lock_guard lock(host_mutex_);
  host_state_ = std::move(state);
}

void Resolvers::close(const model::Id& workload) {
  server_.remove(workload);
  open_.erase(workload);
  attached_.erase(workload);
  for (const std::string_view transport : {kUdp, kTcp}) {
    if (auto dropped = keeper_.drop(keep_name(workload, transport)); !dropped) {
      log_warn("resolver.drop", {{"workload", workload}, {"error", dropped.error()}});
    }
  }
}

}  // namespace heddle::control
