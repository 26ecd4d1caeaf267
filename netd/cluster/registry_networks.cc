#include <algorithm>

#include "netd/cluster/address_plan.h"
#include "netd/cluster/registry.h"

namespace heddle::cluster {
namespace {

constexpr std::uint32_t kFirstVni = 4096;  // below it is what people number by hand
constexpr int kLargestSubnet = 8;
constexpr int kSmallestSubnet = 29;
constexpr std::size_t kNamedUsers = 3;  // endpoints that an `in_use` names

std::string pool_id() {
  return "swarm";
}

// A subnet as swarm networks may have it; the driver knows the rest.
Result<> check_subnets(const model::Network& draft) {
  if (draft.subnets.size() > 1) {
    return fail(Errc::unsupported, "network '" + draft.name + "': swarm networks have one subnet");
  }
  if (draft.subnets.empty()) return {};
  const Prefix& subnet = draft.subnets.front().prefix;
  if (!subnet.is_v4()) {
    return fail(Errc::unsupported, "network '" + draft.name + "': subnet " + subnet.format() +
                                       " is IPv6; swarm networks are IPv4");
  }
  if (subnet.length() < kLargestSubnet || subnet.length() > kSmallestSubnet) {
    return fail(Errc::invalid, "network '" + draft.name + "': subnet " + subnet.format() +
                                   " must be a /8 to a /29");
  }
  return {};
}

Result<> check_draft(const model::Network& draft) {
  TRY_DO(model::check_name("network name", draft.name));
  if (draft.scope != model::Scope::swarm) {
    return fail(Errc::invalid, "network '" + draft.name +
                                   "' is local; a swarm keeps only networks "
                                   "of scope swarm");
  }
  return check_subnets(draft);
}

Result<> check_overlaps(const Objects& objects, const model::Network& draft,
                        const std::vector<Prefix>& avoid) {
  const Prefix& subnet = draft.subnets.front().prefix;
  for (const auto& [id, other] : objects.networks) {
    for (const model::Subnet& taken : other.value.subnets) {
      if (id == draft.id || !taken.prefix.overlaps(subnet)) continue;
      return fail(Errc::conflict, "subnet " + subnet.format() + " overlaps network '" +
                                      other.value.name + "' (" + taken.prefix.format() + ")");
    }
  }
  for (const Prefix& route : avoid) {
    if (!route.overlaps(subnet)) continue;
    return fail(Errc::conflict, "subnet " + subnet.format() + " overlaps the route to " +
                                    route.format() + " of this host");
  }
  return {};
}

Result<> check_gateway(const model::Subnet& subnet) {
  const Prefix& prefix = subnet.prefix;
  const IpAddr& gateway = subnet.gateway;
  if (prefix.contains(gateway) && gateway != prefix.address() &&
      gateway != prefix.at(prefix.size() - 1)) {
    return {};
  }
  return fail(Errc::invalid, "gateway " + gateway.format() + " is not a host address of subnet " +
                                 prefix.format());
}

// What a network that exists may become: its endpoints keep their addresses.
Result<> check_change(const model::Network& before, const model::Network& after) {
  model::Network same = after;
  same.subnets = before.subnets;
  same.options = before.options;
  same.labels = before.labels;
  if (same != before) {
    return fail(Errc::invalid, "of network '" + before.name +
                                   "' only its subnet, options and labels can be changed");
  }
  TRY_DO(check_subnets(after));
  if (after.subnets.size() != before.subnets.size()) {
    return fail(Errc::unsupported, "network '" + before.name + "': swarm networks have one subnet");
  }
  const model::Subnet& was = before.subnets.front();
  const model::Subnet& is = after.subnets.front();
  if (!is.prefix.contains(was.prefix) || is.prefix.address() != was.prefix.address()) {
    return fail(Errc::invalid, "subnet " + was.prefix.format() + " of network '" + before.name +
                                   "' can only grow: a shorter prefix of the same address, not " +
                                   is.prefix.format());
  }
  if (is.gateway == was.gateway) return {};
  return fail(Errc::invalid, "the gateway " + was.gateway.format() + " of network '" + before.name +
                                 "' cannot be changed");
}

Result<model::Subnet> choose_subnet(const Objects& objects, const model::Network& draft,
                                    const std::vector<Prefix>& avoid) {
  model::Subnet subnet;
  if (draft.subnets.empty()) {
    if (!objects.swarm) return fail(Errc::internal, "the store has no swarm object");
    std::vector<Prefix> taken = avoid;
    for (const auto& [id, other] : objects.networks) {
      for (const model::Subnet& each : other.value.subnets) taken.push_back(each.prefix);
    }
    const model::Swarm& swarm = objects.swarm->value;
    TRY(subnet.prefix, plan_subnet(swarm.pool, swarm.subnet_length, taken));
  } else {
    TRY_DO(check_overlaps(objects, draft, avoid));
    subnet = draft.subnets.front();
  }
  if (subnet.gateway.is_unspecified()) subnet.gateway = subnet.prefix.at(1);
  TRY_DO(check_gateway(subnet));
  return subnet;
}

// The lowest one free: guarded by the pool, two networks never get the same.
Result<Vni> choose_vni(const Objects& objects, Vni wanted) {
  std::set<std::uint32_t> taken;
  for (const auto& [id, network] : objects.networks) taken.insert(network.value.vni.value);
  if (wanted.value != 0) {
    if (!taken.contains(wanted.value)) return wanted;
    return fail(Errc::conflict, "VNI " + std::to_string(wanted.value) + " is another network's");
  }
  for (std::uint32_t vni = kFirstVni; vni <= kMaxVni; ++vni) {
    if (!taken.contains(vni)) return Vni{vni};
  }
  return fail(Errc::exhausted, "no VNI is left");
}

Result<const model::Network*> find_network(const Objects& objects, const model::Id& id) {
  const auto found = objects.networks.find(id);
  if (found != objects.networks.end()) return &found->second.value;
  return fail(Errc::not_found, "the swarm has no network " + id);
}

Result<> check_unused(const Objects& objects, const model::Network& network) {
  std::vector<std::string> users;
  std::size_t count = 0;
  for (const auto& [id, endpoint] : objects.endpoints) {
    if (endpoint.value.network != network.id) continue;
    if (++count > kNamedUsers) continue;
    const auto node = objects.nodes.find(endpoint.value.node);
    const std::string where =
        node == objects.nodes.end() ? endpoint.value.node : node->second.value.name;
    users.push_back(endpoint.value.workload_name + " on " + where);
  }
  if (count == 0) return {};
  std::string text = "network '" + network.name + "' is in use by ";
  for (std::size_t i = 0; i < users.size(); ++i) text += (i == 0 ? "" : ", ") + users[i];
  if (count > kNamedUsers) text += " and " + std::to_string(count - kNamedUsers) + " more";
  return fail(Errc::in_use, text + "; disconnect them first");
}

}  // namespace

Allocation allocation_of(const Objects& objects, const model::Network& network) {
  Allocation allocation;
  allocation.subnet = network.subnets.front().prefix;
  allocation.gateway = network.subnets.front().gateway;
  for (const auto& [name, address] : network.subnets.front().reserved) {
    allocation.reserved.insert(address);
  }
  const std::string stem = network.id + ".";
  for (auto block = objects.blocks.lower_bound(stem); block != objects.blocks.end(); ++block) {
    if (!block->first.starts_with(stem)) break;
    allocation.blocks.push_back(block->second.value);
  }
  return allocation;
}

Result<model::Network> Registry::create_network(model::Network draft, std::vector<Prefix> avoid,
                                                Deadline deadline) {
  TRY_DO(check_draft(draft));
  model::Network network = draft;
  network.id = make_id();
  network.created = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  TRY_DO(replica_.catch_up(deadline));
  TRY_DO(transact(
      [&](const Objects& objects, Draft& changes) -> Result<> {
        for (const auto& [id, other] : objects.networks) {
          if (other.value.name != network.name) continue;
          return fail(Errc::exists, "the swarm has a network named '" + network.name + "' already");
        }
        TRY(const model::Subnet subnet, choose_subnet(objects, draft, avoid));
        network.subnets = {subnet};
        TRY(network.vni, choose_vni(objects, draft.vni));
        changes.expect(kPoolKind, pool_id());
        changes.touch(kPoolKind, pool_id());
        changes.put(network_object(network));
        return {};
      },
      deadline));
  return network;
}

Result<model::Network> Registry::update_network(model::Network before, model::Network after,
                                                std::vector<Prefix> avoid, Deadline deadline) {
  TRY_DO(check_change(before, after));
  TRY_DO(replica_.catch_up(deadline));
  TRY_DO(transact(
      [&](const Objects& objects, Draft& changes) -> Result<> {
        TRY(const auto* found, find_network(objects, before.id));
        if (*found != before) {
          return fail(Errc::conflict,
                      "network '" + before.name + "' was changed meanwhile; try again");
        }
        if (after.subnets != before.subnets) TRY_DO(check_overlaps(objects, after, avoid));
        changes.expect(kPoolKind, pool_id());
        changes.touch(kPoolKind, pool_id());
        changes.put(network_object(after));
        return {};
      },
      deadline));
  return after;
}

Result<> Registry::remove_network(model::Id network, Deadline deadline) {
  TRY_DO(replica_.catch_up(deadline));
  TRY_DO(transact(
      [&](const Objects& objects, Draft& changes) -> Result<> {
        TRY(const auto* found, find_network(objects, network));
        TRY_DO(check_unused(objects, *found));
        changes.remove(kNetworkKind, network);
        changes.remove(kUseKind, network);   // compared: no endpoint came meanwhile
        changes.remove(kPoolKind, network);  // nor was an address claimed
        for (const auto& [id, service] : objects.services) {
          if (service.value.network == network) changes.remove(kServiceKind, id);
        }
        for (const auto& [id, block] : objects.blocks) {
          if (block.value.network == network) changes.remove(kBlockKind, id);
        }
        for (const auto& [key, object] : objects.raw) {
          if (key.kind == kVipKind && key.id.starts_with(network + ".")) {
            changes.remove(kVipKind, key.id);
          }
        }
        return {};
      },
      deadline));
  return {};
}

Result<model::AddressBlock> Registry::claim_block(model::Id network, model::Id node,
                                                  Deadline deadline) {
  model::AddressBlock block{network, {}, node};
  TRY_DO(transact(
      [&](const Objects& objects, Draft& changes) -> Result<> {
        TRY(const auto* found, find_network(objects, network));
        if (!objects.nodes.contains(node)) {
          return fail(Errc::denied, "node " + node + " is not in the swarm");
        }
        TRY(block.prefix, plan_block(allocation_of(objects, *found), node));
        changes.expect(kNetworkKind, network);
        changes.expect(kNodeKind, node);
        changes.expect(kPoolKind, network);
        changes.touch(kPoolKind, network);
        changes.put(block_object(block));
        return {};
      },
      deadline));
  return block;
}

Result<> Registry::release_block(model::AddressBlock block, Deadline deadline) {
  TRY_DO(transact(
      [&](const Objects& objects, Draft& changes) -> Result<> {
        const std::string id = block_id(block);
        if (!objects.blocks.contains(id)) return {};
        for (const auto& [key, endpoint] : objects.endpoints) {
          if (endpoint.value.network != block.network) continue;
          if (!block.prefix.contains(endpoint.value.address.address)) continue;
          return fail(Errc::in_use, "block " + block.prefix.format() + " is in use by " +
                                        endpoint.value.workload_name + " (" +
                                        endpoint.value.address.address.format() + ")");
        }
        changes.expect(kUseKind, block.network);  // no endpoint came meanwhile
        changes.remove(kBlockKind, id);
        return {};
      },
      deadline));
  return {};
}

}  // namespace heddle::cluster
