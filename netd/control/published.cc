// Ports of the host that lead to endpoints of this node, when they are connected and later.
#include <algorithm>

#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/control/endpoint_options.h"
#include "netd/control/host_ports.h"
#include "netd/control/published_ports.h"

namespace heddle::control {

Result<model::Endpoint> Control::publish(PublishSpec spec, Deadline) {
  return executor_.call([&] { return change_published(spec); });
}

Result<model::Endpoint> Control::find_published(const PublishSpec& spec) {
  const auto current = view();
  TRY(const model::Workload workload, adopt_workload(spec.workload));
  const model::Network* network = nullptr;
  if (!spec.network.empty()) {
    TRY(network, model::find_network(*current, spec.network));
  }
  std::optional<model::Endpoint> found;
  std::string networks;
  for (const model::Endpoint& endpoint : objects_->endpoints_of(workload.id)) {
    if (network != nullptr && endpoint.network != network->id) continue;
    const auto joined = current->networks.find(endpoint.network);
    networks += (networks.empty() ? "" : ", ") +
                (joined == current->networks.end() ? endpoint.network : joined->second.name);
    if (found) {
      return fail(Errc::invalid, "'" + workload.name + "' is connected to several networks (" +
                                     networks + "); name one: --network");
    }
    found = endpoint;
  }
  if (!found) {
    return fail(Errc::not_found,
                "'" + workload.name + "' is not connected to " +
                    (network != nullptr ? "'" + network->name + "'" : "any network"));
  }
  if (workload.kind == model::WorkloadKind::load_balancer) {
    return fail(Errc::invalid, "'" + workload.name +
                                   "' is a load balancer: its listeners are on the host already");
  }
  return *found;
}

Result<std::vector<model::PublishedPort>> Control::resolve_published(
    const model::Endpoint& endpoint, std::vector<model::PublishedPort> kept,
    const std::vector<model::PublishedPort>& added) {
  if (added.empty()) return kept;
  PublishedPorts all = kept;
  all.insert(all.end(), added.begin(), added.end());
  TRY_DO(check_ports(all, endpoint));
  for (auto port = all.begin() + static_cast<std::ptrdiff_t>(kept.size()); port != all.end();
       ++port) {
    if (port->host_address) TRY_DO(check_host_address(*port->host_address));
    const std::vector<IpAddr> addresses = host_addresses_of(*port, endpoint);
    if (port->host_port == 0) {
      const auto taken = [&](std::uint16_t first) {
        model::PublishedPort candidate = *port;
        candidate.host_port = first;
        return !check_unpublished(candidate, endpoint.id, objects_->endpoints()) ||
               std::ranges::any_of(all, [&](const auto& o) { return overlap(o, candidate); });
      };
      TRY(port->host_port, choose_ports(addresses, port->count, port->protocol, taken));
      continue;
    }
    TRY_DO(check_unpublished(*port, endpoint.id, objects_->endpoints()));
    for (std::uint32_t i = 0; i < port->count; ++i) {
      for (const IpAddr& address : addresses) {
        TRY_DO(check_port_free(address, static_cast<std::uint16_t>(port->host_port + i),
                               port->protocol));
      }
    }
  }
  return all;
}

// All of it or nothing.
Result<model::Endpoint> Control::change_published(const PublishSpec& spec) {
  if (spec.add.empty() && spec.remove.empty()) {
    return fail(Errc::invalid, "no port was named; write [ADDRESS:]HOST:PORT[/PROTOCOL]");
  }
  TRY(const model::Endpoint before, find_published(spec));
  const auto current = view();
  const auto network = current->networks.find(before.network);
  if (network == current->networks.end()) {
    return fail(Errc::not_found, "the network of '" + before.workload_name + "' is gone");
  }
  if (!spec.add.empty()) TRY_DO(check_can_publish(network->second));
  model::Endpoint endpoint = before;
  TRY(auto kept, without(before.published, spec.remove));
  TRY(endpoint.published, resolve_published(before, std::move(kept), spec.add));
  const model::Workload workload = objects_->workloads().at(endpoint.workload);
  Objects::Batch batch;
  batch.put(endpoint);
  TRY_DO(objects_->commit(std::move(batch)));
  const auto failures = refresh();
  const auto failed = failure_of(failures, endpoint, workload);
  if (!failed || facts_.missing_sandboxes.contains(workload.sandbox)) return endpoint;
  Objects::Batch undo;
  undo.put(before);
  if (auto undone = objects_->commit(std::move(undo)); !undone) {
    log_error("store.failed", {{"error", undone.error()}});
  }
  refresh();
  return std::unexpected(failed->during("publish ports of " + workload.name));
}

}  // namespace heddle::control
