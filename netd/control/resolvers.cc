#include "netd/control/resolvers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
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

Resolvers::Resolvers(const Parts& parts, std::map<std::string, UniqueFd>& kept, HostDns host)
    : server_(parts.server),
      visitor_(parts.visitor),
      keeper_(parts.keeper),
      host_(std::move(host)) {
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
  for (const auto& [id, networks] : attached_) all.workloads.insert(id);
  update(view, model::Index(*view), missing_sandboxes, all);
  open_host();
  settle_host();
  drop_adopted();
}

void Resolvers::update(const ViewPtr& view, const model::Index& index,
                       const std::set<std::string>& missing_sandboxes, const Touched& touched) {
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
  for (const model::Id& id : workloads) {
    settle(view, missing_sandboxes, id, dns::attached_networks(*view, index, id));
  }
}

void Resolvers::settle(const ViewPtr& view, const std::set<std::string>& missing_sandboxes,
                       const model::Id& id, const Networks& networks) {
  const auto workload = view->workloads.find(id);
  const bool wanted = !networks.empty() && workload != view->workloads.end() &&
                      !missing_sandboxes.contains(workload->second.sandbox);
  const auto known = attached_.find(id);
  if (!wanted) {
    failed_.erase(id);
    if (known != attached_.end()) close(id);
    return;
  }
  if (known != attached_.end() && known->second == networks) return;
  std::vector<std::shared_ptr<const dns::CurrentNames>> names;
  for (const model::Id& network : networks) names.push_back(names_.at(network));
  auto zone = std::make_shared<const dns::Zone>(std::move(names));
  if (known != attached_.end()) {
    known->second = networks;
    server_.update(id, std::move(zone));
    return;
  }
  auto sockets = open(workload->second);
  if (!sockets) return;
  attached_[id] = networks;
  std::vector<SocketAddr> upstreams;
  // They were checked when the workload was made.
  if (const auto own = model::dns_of(workload->second.labels)) {
    for (const IpAddr& server : own->servers) upstreams.push_back({server, 53});
  }
  auto added = server_.add(id, *std::move(sockets), std::move(zone), std::move(upstreams));
  if (!added) {
    log_warn("resolver.failed", {{"workload", id}, {"error", added.error()}});
    close(id);
  }
}

// What an earlier daemon kept for workloads that are gone.
void Resolvers::drop_adopted() {
  for (const auto& [id, sockets] : std::exchange(adopted_, {})) drop(id);
}

Result<Resolvers::Sockets> Resolvers::obtain(const model::Id& id, const std::string& sandbox,
                                             const SocketAddr& address) {
  if (auto kept = adopted_.extract(id)) {
    Sockets& sockets = kept.mapped();
    // The host's address may be another one now.
    if (sockets.udp && sockets.tcp && address_of(sockets.udp) == address) return std::move(sockets);
    // The daemon was killed between keeping the two: one alone only has the address.
    drop(id);
  }
  auto sockets = bind(sandbox, address);
  // The address may be that of sockets which are still to be dropped.
  if (!sockets && sockets.error().sys_errno() == EADDRINUSE) {
    keeper_.finish();
    sockets = bind(sandbox, address);
  }
  if (sockets) keep(id, *sockets);
  return sockets;
}

Result<Resolvers::Sockets> Resolvers::bind(const std::string& sandbox, const SocketAddr& address) {
  Sockets sockets;
  TRY(const UniqueFd netns, netns::open(sandbox));
  TRY_DO(visitor_.run_in(netns.get(), [&]() -> Result<> {
    TRY(sockets.udp, netns::bind_udp_here(address));
    TRY(sockets.tcp, netns::listen_tcp_here(address));
    return {};
  }));
  return sockets;
}

std::optional<Resolvers::Sockets> Resolvers::open(const model::Workload& workload) {
  auto sockets = obtain(workload.id, workload.sandbox, kResolver);
  if (!sockets) {
    if (failed_.insert(workload.id).second) {
      log_warn("resolver.failed", {{"workload", workload.name}, {"error", sockets.error()}});
    }
    return std::nullopt;
  }
  failed_.erase(workload.id);
  return *std::move(sockets);
}

void Resolvers::open_host() {
  if (!host_.address || host_networks_ || host_sockets_) return;
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
  if (!host_sockets_ && !host_networks_) return;
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
    auto added = server_.add(kHost, *std::exchange(host_sockets_, {}), std::move(zone));
    if (!added) {
      log_warn("resolver.host_failed", {{"error", added.error()}});
      drop(kHost);
      return;
    }
  }
  host_networks_ = std::move(networks);
}

void Resolvers::look_at_host() {
  open_host();
  settle_host();
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

void Resolvers::keep(const model::Id& id, const Sockets& sockets) {
  keeper_.put(keep_name(id, kUdp), duplicate(sockets.udp));
  keeper_.put(keep_name(id, kTcp), duplicate(sockets.tcp));
}

void Resolvers::close(const model::Id& workload) {
  server_.remove(workload);
  attached_.erase(workload);
  drop(workload);
}

void Resolvers::drop(const model::Id& id) {
  for (const std::string_view transport : {kUdp, kTcp}) {
    keeper_.drop(keep_name(id, transport));
  }
}

}  // namespace heddle::control
