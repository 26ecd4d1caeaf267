#include "netd/model/view.h"

namespace heddle::model {
namespace {

// One search for every kind: exact id, name, then a unique id prefix.
template <class Objects, class T = typename Objects::mapped_type>
Result<const T*> find_in(const Objects& objects, std::string_view kind, std::string_view ref) {
  if (const auto it = objects.find(Id(ref)); it != objects.end()) return &it->second;
  const T* found = nullptr;
  for (const auto& [id, object] : objects) {
    if (object.name == ref) return &object;
  }
  if (ref.size() >= 4) {
    for (auto it = objects.lower_bound(Id(ref)); it != objects.end(); ++it) {
      if (!it->first.starts_with(ref)) break;
      if (found != nullptr) {
        return fail(Errc::conflict, "several " + std::string(kind) +
                                        "s have an id that starts with '" + std::string(ref) +
                                        "'; give more digits");
      }
      found = &it->second;
    }
  }
  if (found != nullptr) return found;
  return fail(Errc::not_found, "no " + std::string(kind) + " '" + std::string(ref) + "'");
}

// `docker:web`: the container's name, whole id, or the start of an id that is nobody else's.
Result<const Workload*> find_container(const View& view, WorkloadKind kind, std::string_view ref) {
  const std::string_view name = ref.substr(ref.find(':') + 1);
  const Workload* found = nullptr;
  bool several = false;
  for (const auto& [id, workload] : view.workloads) {
    if (workload.kind != kind) continue;
    if (workload.container_name == name || workload.container == name) return &workload;
    if (name.size() < 4 || !workload.container.starts_with(name)) continue;
    several = found != nullptr;
    found = &workload;
  }
  if (several) {
    return fail(Errc::conflict, "several containers have an id that starts with '" +
                                    std::string(name) + "'; give more digits");
  }
  if (found != nullptr) return found;
  return fail(Errc::not_found, "no workload '" + std::string(ref) + "' is known here");
}

// `netns:PATH`, `pid:N`.
Result<const Workload*> find_sandbox(const View& view, std::string_view ref) {
  const bool by_path = ref.starts_with("netns:");
  const std::string name(ref.substr(ref.find(':') + 1));
  for (const auto& [id, workload] : view.workloads) {
    if (by_path ? workload.sandbox == name && !name.empty()
                : workload.sandbox_owner.starts_with(name + ":")) {
      return &workload;
    }
  }
  return fail(Errc::not_found, "no workload '" + std::string(ref) + "' is known here");
}

template <class T>
std::set<Id> changed_ids(const Table<T>& before, const Table<T>& after) {
  std::set<Id> ids;
  before.differences(after, [&](const Id& id, const T*, const T*) { ids.insert(ids.end(), id); });
  return ids;
}

}  // namespace

ViewChange compare(const View& before, const View& after) {
  return {.networks = changed_ids(before.networks, after.networks),
          .workloads = changed_ids(before.workloads, after.workloads),
          .endpoints = changed_ids(before.endpoints, after.endpoints),
          .services = changed_ids(before.services, after.services),
          .sidecars = changed_ids(before.sidecars, after.sidecars),
          .load_balancers = changed_ids(before.load_balancers, after.load_balancers),
          .swarm = before.swarm != after.swarm || before.self != after.self ||
                   before.nodes != after.nodes || before.unreachable != after.unreachable};
}

Result<const Network*> find_network(const View& view, std::string_view ref) {
  return find_in(view.networks, "network", ref);
}

Result<const Workload*> find_workload(const View& view, std::string_view ref) {
  if (ref.starts_with("docker:")) return find_container(view, WorkloadKind::docker, ref);
  if (ref.starts_with("podman:")) return find_container(view, WorkloadKind::podman, ref);
  if (ref.starts_with("netns:") || ref.starts_with("pid:")) return find_sandbox(view, ref);
  return find_in(view.workloads, "workload", ref);
}

Result<const Node*> find_node(const View& view, std::string_view ref) {
  return find_in(view.nodes, "node", ref);
}

Result<const LoadBalancer*> find_load_balancer(const View& view, std::string_view ref) {
  return find_in(view.load_balancers, "load balancer", ref);
}

Result<const Service*> find_service(const View& view, std::string_view ref) {
  const auto dot = ref.find('.');
  const std::string_view name = ref.substr(0, dot);
  const Service* found = nullptr;
  for (const auto& [id, service] : view.services) {
    if (id == ref) return &service;
    if (service.name != name) continue;
    if (dot != std::string_view::npos) {
      const auto network = view.networks.find(service.network);
      if (network == view.networks.end() || network->second.name != ref.substr(dot + 1)) continue;
    }
    if (found != nullptr) {
      return fail(Errc::conflict, "several networks have a service '" + std::string(ref) +
                                      "'; name it as SERVICE.NETWORK");
    }
    found = &service;
  }
  if (found != nullptr) return found;
  return fail(Errc::not_found, "no service '" + std::string(ref) + "'");
}

}  // namespace heddle::model
