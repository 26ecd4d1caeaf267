#include "netd/control/resolvers.h"

#include <fcntl.h>

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

Resolvers::Resolvers(dns::DnsServer& server, holder::Keeper& keeper,
                     std::map<std::string, UniqueFd>& kept)
    : server_(server), keeper_(keeper) {
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
  auto added = server_.add(id, {duplicate(sockets.udp), duplicate(sockets.tcp)}, std::move(zone));
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

bool Resolvers::open(const model::Workload& workload) {
  if (const auto kept = adopted_.find(workload.id);
      kept != adopted_.end() && kept->second.udp && kept->second.tcp) {
    open_[workload.id] = std::move(kept->second);
    adopted_.erase(kept);
    return true;
  }
  const auto make = [&]() -> Result<Sockets> {
    Sockets sockets;
    TRY(const UniqueFd netns, netns::open(workload.sandbox));
    TRY(sockets.udp, netns::bind_udp(netns.get(), kResolver));
    TRY(sockets.tcp, netns::listen_tcp(netns.get(), kResolver));
    TRY_DO(keeper_.put(keep_name(workload.id, kUdp), sockets.udp.get()));
    TRY_DO(keeper_.put(keep_name(workload.id, kTcp), sockets.tcp.get()));
    return sockets;
  };
  auto sockets = make();
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
