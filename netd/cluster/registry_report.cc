#include <algorithm>
#include <compare>

#include "netd/cluster/address_plan.h"
#include "netd/cluster/registry.h"

namespace heddle::cluster {
namespace {

struct ServiceKey {
  model::Id network;
  std::string name;
  friend auto operator<=>(const ServiceKey&, const ServiceKey&) = default;
};

// What becomes of one service that the report touches.
struct ServicePlan {
  const Stored<model::Service>* existing = nullptr;
  bool others = false;                    // backends that this report does not touch
  std::vector<model::Id> members;         // backends in this report
  std::vector<model::ServicePort> ports;  // of the members
};

class ReportDraft {
 public:
  ReportDraft(const Objects& objects, const model::Id& node, model::Time now, Draft& draft)
      : objects_(objects), node_(node), now_(now), draft_(draft) {}

  void remove_missing(const std::vector<model::Endpoint>& endpoints);
  void remove(const model::Id& id);
  void add(const model::Endpoint& endpoint);
  std::vector<Registry::Refusal> finish();

 private:
  Result<> check(const model::Endpoint& endpoint) const;
  std::optional<std::string> find_block(const model::Endpoint& endpoint) const;
  void refuse(const model::Id& id, Error error);
  void plan_services();
  void join_services();
  void make_services();
  Result<> make_service(const ServiceKey& key, const ServicePlan& plan);
  void unmake_service(const ServicePlan& plan);
  void write_endpoints();
  Allocation& allocation(const model::Network& network);
  std::set<IpAddr>& vips(const model::Id& network);

  const Objects& objects_;
  const model::Id& node_;
  const model::Time now_;
  Draft& draft_;
  std::map<model::Id, std::optional<model::Endpoint>> changed_;  // absent value: removed
  std::map<ServiceKey, ServicePlan> services_;
  std::map<model::Id, Allocation> allocations_;  // by network, with what this report adds
  std::map<model::Id, std::set<IpAddr>> vips_;
  std::vector<Registry::Refusal> refused_;
};

const model::Endpoint* find_endpoint(const Objects& objects, const model::Id& id) {
  const auto found = objects.endpoints.find(id);
  return found == objects.endpoints.end() ? nullptr : &found->second.value;
}

void ReportDraft::remove_missing(const std::vector<model::Endpoint>& endpoints) {
  std::set<std::string_view> present;
  for (const model::Endpoint& endpoint : endpoints) present.insert(endpoint.id);
  for (const auto& [id, stored] : objects_.endpoints) {
    if (stored.value.node == node_ && !present.contains(id)) changed_[id] = std::nullopt;
  }
}

void ReportDraft::remove(const model::Id& id) {
  const model::Endpoint* stored = find_endpoint(objects_, id);
  if (stored != nullptr && stored->node == node_) changed_[id] = std::nullopt;
}

// What the node says now did not enter, and what it said before is no longer so.
void ReportDraft::refuse(const model::Id& id, Error error) {
  refused_.push_back({id, std::move(error)});
  changed_.erase(id);
  remove(id);
}

// The id of the node's block that the address lies in.
std::optional<std::string> ReportDraft::find_block(const model::Endpoint& endpoint) const {
  const std::string stem = endpoint.network + ".";
  for (auto it = objects_.blocks.lower_bound(stem); it != objects_.blocks.end(); ++it) {
    if (!it->first.starts_with(stem)) break;
    const model::AddressBlock& each = it->second.value;
    if (each.node == node_ && each.prefix.contains(endpoint.address.address)) return it->first;
  }
  return std::nullopt;
}

Result<> ReportDraft::check(const model::Endpoint& endpoint) const {
  if (!endpoint.node.empty() && endpoint.node != node_) {
    return fail(Errc::denied, "it belongs to node " + endpoint.node);
  }
  const model::Endpoint* stored = find_endpoint(objects_, endpoint.id);
  if (stored != nullptr && stored->node != node_) {
    return fail(Errc::denied, "its id is taken by an endpoint of node " + stored->node);
  }
  if (!objects_.networks.contains(endpoint.network)) {
    return fail(Errc::not_found, "the swarm has no network " + endpoint.network);
  }
  if (!find_block(endpoint)) {
    return fail(Errc::denied, "its address " + endpoint.address.address.format() +
                                  " is in no block of this node");
  }
  if (!endpoint.service.empty()) TRY_DO(model::check_name("service name", endpoint.service));
  return {};
}

void ReportDraft::add(const model::Endpoint& endpoint) {
  model::Endpoint mine = endpoint;
  if (auto good = check(mine); !good) return refuse(mine.id, std::move(good).error());
  mine.node = node_;
  const model::Endpoint* stored = find_endpoint(objects_, mine.id);
  if (stored != nullptr && *stored == mine) return;
  changed_[mine.id] = std::move(mine);
}

// Which services are touched, and who else backs them.
void ReportDraft::plan_services() {
  for (const auto& [id, endpoint] : changed_) {
    const model::Endpoint* before = find_endpoint(objects_, id);
    if (before != nullptr && !before->service.empty()) {
      services_[{before->network, before->service}];
    }
    if (endpoint && !endpoint->service.empty()) {
      services_[{endpoint->network, endpoint->service}];
    }
  }
  if (services_.empty()) return;
  for (const auto& [id, service] : objects_.services) {
    const auto plan = services_.find({service.value.network, service.value.name});
    if (plan != services_.end()) plan->second.existing = &service;
  }
  for (const auto& [id, endpoint] : objects_.endpoints) {
    if (endpoint.value.service.empty() || changed_.contains(id)) continue;
    const auto plan = services_.find({endpoint.value.network, endpoint.value.service});
    if (plan != services_.end()) plan->second.others = true;
  }
}

// A service's backends agree on its ports. Those of a service that this report alone backs may
// change them, all together.
void ReportDraft::join_services() {
  std::vector<model::Id> candidates;
  for (const auto& [id, endpoint] : changed_) {
    if (endpoint && !endpoint->service.empty()) candidates.push_back(id);
  }
  for (const model::Id& id : candidates) {
    const model::Endpoint& endpoint = *changed_[id];
    ServicePlan& plan = services_[{endpoint.network, endpoint.service}];
    const bool fixed = plan.existing != nullptr && (plan.others || plan.existing->value.declared);
    if (plan.members.empty()) plan.ports = fixed ? plan.existing->value.ports : endpoint.ports;
    if (plan.ports != endpoint.ports) {
      refuse(id, {Errc::conflict, "its ports are not those of service '" + endpoint.service +
                                      "', which other endpoints back; give the same ports, or "
                                      "another service name"});
      continue;
    }
    plan.members.push_back(id);
  }
}

Allocation& ReportDraft::allocation(const model::Network& network) {
  const auto [it, fresh] = allocations_.try_emplace(network.id);
  if (fresh) it->second = allocation_of(objects_, network);
  return it->second;
}

std::set<IpAddr>& ReportDraft::vips(const model::Id& network) {
  const auto [it, fresh] = vips_.try_emplace(network);
  if (fresh) it->second = vips_of(objects_, network);
  return it->second;
}

Result<> ReportDraft::make_service(const ServiceKey& key, const ServicePlan& plan) {
  model::Service service;
  service.id = make_id();
  service.name = key.name;
  service.network = key.network;
  service.ports = plan.ports;
  service.created = now_;
  TRY_DO(draft_vip(allocation(objects_.networks.at(key.network).value), vips(key.network), service,
                   draft_));
  draft_.put(service_object(service));
  return {};
}

void ReportDraft::unmake_service(const ServicePlan& plan) {
  const model::Service& service = plan.existing->value;
  draft_.expect(kUseKind, service.network);  // no backend came meanwhile
  draft_.remove(kServiceKind, service.id);
  draft_.remove(kVipKind, vip_id(service.network, service.vip));
}

void ReportDraft::make_services() {
  for (const auto& [key, plan] : services_) {
    if (plan.existing == nullptr) {
      if (plan.members.empty()) continue;
      if (auto made = make_service(key, plan); !made) {
        for (const model::Id& id : plan.members) {
          refuse(id, made.error().during("service '" + key.name + "'"));
        }
      }
      continue;
    }
    const model::Service& service = plan.existing->value;
    if (plan.members.empty()) {
      if (!plan.others && !service.declared) unmake_service(plan);
      continue;
    }
    draft_.expect(kServiceKind, service.id);
    if (service.ports == plan.ports) continue;
    model::Service updated = service;
    updated.ports = plan.ports;
    draft_.put(service_object(updated));
  }
}

void ReportDraft::write_endpoints() {
  for (const auto& [id, endpoint] : changed_) {
    if (!endpoint) {
      draft_.remove(kEndpointKind, id);
      continue;
    }
    if (const auto block = find_block(*endpoint)) draft_.expect(kBlockKind, *block);
    draft_.expect(kNetworkKind, endpoint->network);
    draft_.put(endpoint_object(*endpoint));
    const model::Endpoint* before = find_endpoint(objects_, id);
    if (before == nullptr || before->service != endpoint->service ||
        before->network != endpoint->network) {
      draft_.touch(kUseKind, endpoint->network);
    }
  }
}

std::vector<Registry::Refusal> ReportDraft::finish() {
  plan_services();
  join_services();
  make_services();
  write_endpoints();
  return std::move(refused_);
}

}  // namespace

std::set<IpAddr> vips_of(const Objects& objects, const model::Id& network) {
  std::set<IpAddr> vips;
  const std::string stem = network + ".";
  for (auto object = objects.raw.lower_bound({kVipKind, stem}); object != objects.raw.end();
       ++object) {
    if (object->first.kind != kVipKind || !object->first.id.starts_with(stem)) break;
    const auto address = IpAddr::parse(std::string_view(object->first.id).substr(stem.size()));
    if (address) vips.insert(*address);
  }
  return vips;
}

std::vector<Registry::Refusal> draft_report(const Objects& objects, const model::Id& node,
                                            const Registry::Report& report, model::Time now,
                                            Draft& draft) {
  ReportDraft work(objects, node, now, draft);
  if (report.whole == Registry::Whole::yes) work.remove_missing(report.endpoints);
  for (const model::Id& id : report.removed) work.remove(id);
  for (const model::Endpoint& endpoint : report.endpoints) work.add(endpoint);
  return work.finish();
}

}  // namespace heddle::cluster
