// Which addresses are free: pools that say what the stores say, and what rests after its release.
#include <algorithm>
#include <utility>

#include "common/observe/log.h"
#include "netd/control/control.h"
#include "netd/ipam/mac.h"

namespace heddle::control {
namespace {

using ipam::Family;

// Rests that ended are taken out of the store together.
constexpr std::chrono::seconds kForgetInterval = ipam::Pool::kQuarantine + std::chrono::seconds(5);

}  // namespace

ipam::NetworkPools& Control::pools_of(const model::Network& network) {
  const bool local = network.scope == model::Scope::local;
  const auto extent = local ? ipam::Pool::Extent::subnet : ipam::Pool::Extent::blocks;
  const auto [found, made] =
      pools_.try_emplace(network.id, KnownAddresses{ipam::NetworkPools(extent)});
  KnownAddresses& known = found->second;
  known.pools.set(network.subnets,
                  swarm_ ? swarm_->blocks.of(network.id, swarm_->self) : std::vector<Prefix>());
  // Own endpoints are followed as they come and go; what the managers say of others arrives whole.
  const std::uint64_t revision = !local && swarm_ ? swarm_->revision : 0;
  if (made || known.as_of != revision) fill_pools(network.id, known.pools);
  known.as_of = revision;
  return known.pools;
}

void Control::fill_pools(const model::Id& network, ipam::NetworkPools& pools) {
  pools.clear();
  const auto current = view();
  const auto claim = [&](const IpAddr& address, const std::string& holder) {
    // Another node's endpoint outside our blocks is not ours to count; a clash shows when asked
    // for.
    (void)pools.claim(address, holder).has_value();
  };
  const auto claim_all = [&](const model::Endpoint& endpoint) {
    if (endpoint.network != network) return;
    claim(endpoint.address.address, endpoint.workload_name);
    if (endpoint.address6) claim(endpoint.address6->address, endpoint.workload_name);
  };
  for (const auto& [id, endpoint] : objects_->endpoints()) claim_all(endpoint);
  for (const auto& [id, endpoint] : current->endpoints) {
    if (!current->is_local(endpoint)) claim_all(endpoint);
  }
  for (const auto& [id, service] : current->services) {
    if (service.network == network) claim(service.vip, "service " + service.name);
  }
  const auto wall = parts_.clock->wall();
  for (const auto& [id, released] : objects_->released()) {
    if (released.network != network || released.until <= wall) continue;
    // A clock that was set back must not keep an address for years.
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(released.until - wall);
    pools.rest(released.address,
               parts_.clock->steady() + std::min(left + std::chrono::seconds(1),
                                                 std::chrono::seconds(ipam::Pool::kQuarantine)));
  }
  if (!objects_->released().empty()) forget_released_later();
}

// Pools know the addresses of this node's blocks; what others gave out, the swarm says.
Result<> Control::check_not_elsewhere(const IpAddr& address, const model::Network& network) {
  if (network.scope == model::Scope::local) return {};
  const auto current = view();
  for (const auto& [id, other] : current->endpoints) {
    if (other.network != network.id || other.address.address != address) continue;
    const auto node = current->nodes.find(other.node);
    return fail(Errc::exists, "address " + address.format() + " is in use by " +
                                  other.workload_name + " on node " +
                                  (node == current->nodes.end() ? other.node : node->second.name));
  }
  return {};
}

// The addresses that were asked for, and one of each family that the network has.
Result<> Control::take_addresses(const ConnectSpec& spec, const model::Network& network,
                                 ipam::Lease& lease, model::Endpoint& endpoint) {
  ipam::NetworkPools& pools = pools_of(network);
  const auto steady = parts_.clock->steady();
  const std::string& holder = endpoint.workload_name;
  const auto take = [&](const std::optional<IpAddr>& wish, Family family) -> Result<IfAddr> {
    if (wish) TRY_DO(check_not_elsewhere(*wish, network));
    TRY(const IpAddr address,
        wish ? lease.take(*wish, holder, steady) : lease.take(family, holder, steady));
    const auto subnet = std::ranges::find_if(
        network.subnets, [&](const auto& s) { return s.prefix.contains(address); });
    return IfAddr{address, subnet->prefix.length()};
  };
  const bool v4 = pools.has(Family::v4) || spec.address;
  const bool v6 = pools.has(Family::v6) || spec.address6;
  if (!v4 && !v6) {
    return fail(Errc::invalid, "network '" + network.name + "' has no subnet to choose from");
  }
  if (v4) {
    TRY(endpoint.address, take(spec.address, Family::v4));
  }
  if (v6) {
    TRY(const IfAddr address6, take(spec.address6, Family::v6));
    if (v4) {
      endpoint.address6 = address6;
    } else {
      endpoint.address = address6;
    }
  }
  TRY_DO(check_link_local_free(spec.link_local, network));
  for (const IpAddr& address : spec.link_local) {
    endpoint.link_local.push_back({address, address.is_v4() ? 16 : 64});
  }
  return choose_mac(spec, network, endpoint);
}

// The wish, or the one that goes with the address; nobody else's in the network.
Result<> Control::choose_mac(const ConnectSpec& spec, const model::Network& network,
                             model::Endpoint& endpoint) {
  const auto current = view();
  const auto owner_of = [&](const Mac& mac) {
    const model::Endpoint* owner = nullptr;
    index_.endpoints_with(network.id, mac, [&](const model::Id& id) {
      owner = &current->endpoints.at(id);
      return false;
    });
    return owner;
  };
  if (!spec.mac) {
    int attempt = 0;
    do {
      endpoint.mac = ipam::mac_for(network.id, endpoint.address.address, attempt++);
    } while (owner_of(endpoint.mac) != nullptr);
    return {};
  }
  if (const model::Endpoint* owner = owner_of(*spec.mac)) {
    return fail(Errc::exists, "MAC " + spec.mac->format() + " is in use by " +
                                  owner->workload_name + " in network '" + network.name +
                                  "'; give another");
  }
  endpoint.mac = *spec.mac;
  return {};
}

Result<> Control::check_link_local_free(const std::vector<IpAddr>& addresses,
                                        const model::Network& network) {
  if (addresses.empty()) return {};
  const auto current = view();
  for (const auto& [id, other] : current->endpoints) {
    if (other.network != network.id) continue;
    for (const IfAddr& theirs : other.link_local) {
      if (std::ranges::find(addresses, theirs.address) == addresses.end()) continue;
      return fail(Errc::exists, "link-local address " + theirs.address.format() + " is in use by " +
                                    other.workload_name);
    }
  }
  return {};
}

// To be called with the removal of whatever had it; give_up_addresses() when that is stored.
void Control::rest_address(const Held& address, Objects::Batch& batch) {
  ReleasedAddress released;
  released.network = address.network;
  released.address = address.address;
  released.until =
      std::chrono::ceil<std::chrono::seconds>(parts_.clock->wall() + ipam::Pool::kQuarantine);
  batch.put(std::move(released));
}

void Control::give_up_addresses(const std::vector<Held>& addresses) {
  for (const Held& address : addresses) {
    const auto known = pools_.find(address.network);
    if (known != pools_.end()) {
      known->second.pools.release(address.address, parts_.clock->steady());
    }
  }
  if (!addresses.empty()) forget_released_later();
}

void Control::forget_released_later() {
  if (std::exchange(forget_pending_, true)) return;
  executor_.after(kForgetInterval, [this] {
    forget_pending_ = false;
    if (!started_) return;
    Objects::Batch batch;
    bool more = false;
    for (const auto& [id, released] : objects_->released()) {
      if (released.until <= parts_.clock->wall()) {
        batch.remove_released(id);
      } else {
        more = true;
      }
    }
    if (auto stored = objects_->commit(std::move(batch)); !stored) {
      log_warn("store.failed", {{"error", stored.error()}});
      more = true;
    }
    if (more) forget_released_later();
  });
}

}  // namespace heddle::control
