// Services that people declare: they have their address before their first backend comes, and keep
// it after the last one went.
#include <algorithm>
#include <set>

#include "netd/cluster/address_plan.h"
#include "netd/cluster/registry.h"

namespace heddle::cluster {
namespace {

Result<const Stored<model::Service>*> find_declared(const Objects& objects, const model::Id& id) {
  const auto found = objects.services.find(id);
  if (found != objects.services.end()) return &found->second;
  return fail(Errc::not_found, "the swarm has no service " + id);
}

}  // namespace

Result<> draft_vip(Allocation& allocated, std::set<IpAddr>& taken, model::Service& service,
                   Draft& draft) {
  TRY(const Vip vip, plan_vip(allocated, taken, stable_hash(service.network + "/" + service.name)));
  if (vip.new_block) {
    const model::AddressBlock block{service.network, *vip.new_block, model::Id(kVipOwner)};
    allocated.blocks.push_back(block);
    draft.expect(kPoolKind, service.network);
    draft.touch(kPoolKind, service.network);
    draft.put(block_object(block));
  }
  taken.insert(vip.address);
  service.vip = vip.address;
  draft.put({kVipKind, vip_id(service.network, vip.address), "", {}, service.id, 0});
  return {};
}

Result<model::Service> Registry::create_service(model::Service wanted, Cluster::Vip vip,
                                                Deadline deadline) {
  TRY_DO(model::check_name("service name", wanted.name));
  model::Service service = std::move(wanted);
  service.id = make_id();
  service.vip = {};
  service.declared = true;
  service.created = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  TRY_DO(replica_.catch_up(deadline));
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        const auto network = objects.networks.find(service.network);
        if (network == objects.networks.end()) {
          return fail(Errc::not_found, "the swarm has no network " + service.network);
        }
        for (const auto& [id, other] : objects.services) {
          if (other.value.network != service.network || other.value.name != service.name) continue;
          return fail(Errc::exists, "network '" + network->second.value.name + "' has a service '" +
                                        service.name + "' already");
        }
        draft.expect(kNetworkKind, service.network);
        draft.touch(kUseKind, service.network);
        if (vip == Cluster::Vip::yes) {
          Allocation allocated = allocation_of(objects, network->second.value);
          std::set<IpAddr> taken = vips_of(objects, service.network);
          TRY_DO(draft_vip(allocated, taken, service, draft));
        }
        draft.put(service_object(service));
        return {};
      },
      deadline));
  return service;
}

Result<model::Service> Registry::update_service(model::Id service, Cluster::ServiceChange change,
                                                Deadline deadline) {
  model::Service changed;
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        TRY(const auto* found, find_declared(objects, service));
        changed = found->value;
        change_labels(changed.labels, change.labels, change.removed_labels);
        if (changed != found->value) draft.put(service_object(changed));
        return {};
      },
      deadline));
  return changed;
}

Result<> Registry::remove_service(model::Id service, Deadline deadline) {
  TRY_DO(replica_.catch_up(deadline));
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        TRY(const auto* found, find_declared(objects, service));
        const model::Service& gone = found->value;
        for (const auto& [id, endpoint] : objects.endpoints) {
          if (endpoint.value.network != gone.network || endpoint.value.service != gone.name) {
            continue;
          }
          return fail(Errc::in_use, "service '" + gone.name + "' has backends, such as " +
                                        endpoint.value.workload_name +
                                        "; disconnect or remove them first");
        }
        draft.expect(kUseKind, gone.network);  // no backend came meanwhile
        draft.remove(kServiceKind, gone.id);
        if (!gone.vip.is_unspecified()) draft.remove(kVipKind, vip_id(gone.network, gone.vip));
        return {};
      },
      deadline));
  return {};
}

}  // namespace heddle::cluster
