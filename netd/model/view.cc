#include "netd/model/view.h"

#include <algorithm>
#include <tuple>
#include <utility>

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

bool in_order(const AddressBlock& a, const AddressBlock& b) {
  return std::tie(a.prefix, a.node) < std::tie(b.prefix, b.node);
}

template <class T>
std::set<Id> changed_ids(const Table<T>& before, const Table<T>& after) {
  std::set<Id> ids;
  before.differences(after, [&](const Id& id, const T*, const T*) { ids.insert(ids.end(), id); });
  return ids;
}

}  // namespace

Blocks::Blocks(const std::vector<AddressBlock>& blocks) {
  ByNetwork all;
  for (const AddressBlock& block : blocks) all[block.network].push_back(block);
  for (auto& [network, its] : all) std::ranges::sort(its, in_order);
  blocks_ = std::make_shared<const ByNetwork>(std::move(all));
}

const Blocks::ByNetwork& Blocks::none() {
  static const ByNetwork kNone;
  return kNone;
}

const std::vector<AddressBlock>& Blocks::of(const Id& network) const {
  static const std::vector<AddressBlock> kNone;
  const auto found = all().find(network);
  return found == all().end() ? kNone : found->second;
}

std::vector<Prefix> Blocks::of(const Id& network, const Id& node) const {
  std::vector<Prefix> prefixes;
  for (const AddressBlock& block : of(network)) {
    if (block.node == node) prefixes.push_back(block.prefix);
  }
  return prefixes;
}

void Blocks::add(const AddressBlock& block) {
  if (std::ranges::find(of(block.network), block) != of(block.network).end()) return;
  ByNetwork all = this->all();
  std::vector<AddressBlock>& its = all[block.network];
  its.push_back(block);
  std::ranges::sort(its, in_order);
  blocks_ = std::make_shared<const ByNetwork>(std::move(all));
}

std::set<Id> Blocks::differences(const Blocks& other) const {
  std::set<Id> networks;
  if (blocks_ == other.blocks_) return networks;
  for (const ByNetwork* each : {&all(), &other.all()}) {
    for (const auto& [network, blocks] : *each) {
      if (of(network) != other.of(network)) networks.insert(network);
    }
  }
  return networks;
}

ViewChange compare(const View& before, const View& after) {
  return {.networks = changed_ids(before.networks, after.networks),
          .workloads = changed_ids(before.workloads, after.workloads),
          .endpoints = changed_ids(before.endpoints, after.endpoints),
          .services = changed_ids(before.services, after.services),
          .sidecars = changed_ids(before.sidecars, after.sidecars),
          .load_balancers = changed_ids(before.load_balancers, after.load_balancers),
          .blocks = before.blocks.differences(after.blocks),
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
