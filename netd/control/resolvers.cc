#include "netd/control/resolvers.h"

#include <fcntl.h>

#include <cerrno>
#include <set>

#include "common/observe/log.h"
#include "dataplane/netns/netns.h"
#include "netd/dns/server.h"
#include "netd/dns/zone.h"

namespace heddle::control {
namespace {

const SocketAddr kResolver{IpAddr::v4(0x7f00000b), 53};  // 127.0.0.11
constexpr std::string_view kUdp = "/udp";
constexpr std::string_view kTcp = "/tcp";

std::string keep_name(const model::Id& workload, std::string_view transport) {
  return "dns/" + workload + std::string(transport);
}

UniqueFd duplicate(const UniqueFd& fd) {
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace

Resolvers::Resolvers(const Parts& parts, std::map<std::string, UniqueFd>& kept)
    : server_(parts.server), visitor_(parts.visitor), keeper_(parts.keeper) {
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
  update(view, missing_sandboxes, all);
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
  auto added = server_.add(id, {std::move(sockets->udp), std::move(sockets->tcp)}, std::move(zone));
  if (!added) {
    log_warn("resolver.failed", {{"workload", id}, {"error", added.error()}});
    close(id);
  }
}

// What an earlier daemon kept for workloads that are gone.
void Resolvers::drop_adopted() {
  for (const auto& [id, sockets] : std::exchange(adopted_, {})) drop(id);
}

std::optional<Resolvers::Sockets> Resolvers::open(const model::Workload& workload) {
  if (auto kept = adopted_.extract(workload.id)) {
    if (kept.mapped().udp && kept.mapped().tcp) return std::move(kept.mapped());
    // The daemon was killed between keeping the two: one alone only has the address.
    drop(workload.id);
  }
  auto sockets = bind(workload);
  // The address may be that of sockets which are still to be dropped.
  if (!sockets && sockets.error().sys_errno() == EADDRINUSE) {
    keeper_.finish();
    sockets = bind(workload);
  }
  if (!sockets) {
    if (failed_.insert(workload.id).second) {
      log_warn("resolver.failed", {{"workload", workload.name}, {"error", sockets.error()}});
    }
    return std::nullopt;
  }
  failed_.erase(workload.id);
  keep(workload.id, *sockets);
  return *std::move(sockets);
}

Result<Resolvers::Sockets> Resolvers::bind(const model::Workload& workload) {
  Sockets sockets;
  TRY(const UniqueFd netns, netns::open(workload.sandbox));
  TRY_DO(visitor_.run_in(netns.get(), [&]() -> Result<> {
    TRY(sockets.udp, netns::bind_udp_here(kResolver));
    TRY(sockets.tcp, netns::listen_tcp_here(kResolver));
    return {};
  }));
  return sockets;
}

void Resolvers::keep(const model::Id& workload, const Sockets& sockets) {
  keeper_.put(keep_name(workload, kUdp), duplicate(sockets.udp));
  keeper_.put(keep_name(workload, kTcp), duplicate(sockets.tcp));
}

void Resolvers::close(const model::Id& workload) {
  server_.remove(workload);
  attached_.erase(workload);
  drop(workload);
}

void Resolvers::drop(const model::Id& workload) {
  for (const std::string_view transport : {kUdp, kTcp}) {
    keeper_.drop(keep_name(workload, transport));
  }
}

}  // namespace heddle::control
