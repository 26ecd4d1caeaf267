#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/bpf/programs.h"

namespace heddle::bpf {

// The programs' maps in memory, for tests of what composes them.
class FakePrograms final : public Programs {
 public:
  std::optional<Error> next_failure;  // of the next call that changes something

  bool adopted() const override { return false; }

  Result<> attach_port(const Port& port) override { return put(ports_, port.index, port); }
  Result<> detach_port(IfIndex index) override { return take(ports_, index); }
  Result<std::vector<Port>> ports() override { return all(ports_); }

  Result<> attach_underlay(const UnderlayHook& hook) override {
    if (auto failed = failure(); !failed) return failed;
    underlay_ = hook;
    return {};
  }
  Result<> detach_underlay() override {
    underlay_.reset();
    return {};
  }
  Result<std::optional<UnderlayHook>> underlay() override { return underlay_; }

  Result<> put_network(const dataplane::OverlayNetwork& network) override {
    return put(networks_, network.vni, network);
  }
  Result<> remove_network(Vni vni) override { return take(networks_, vni); }
  Result<std::vector<dataplane::OverlayNetwork>> networks() override { return all(networks_); }

  Result<> put_address(const Address& address) override {
    return put(addresses_, std::pair(address.vni, address.address), address);
  }
  Result<> remove_address(Vni vni, IpAddr address) override {
    return take(addresses_, std::pair(vni, address));
  }
  Result<std::vector<Address>> addresses() override { return all(addresses_); }

  Result<> put_block(const dataplane::OverlayBlock& block) override {
    return put(blocks_, std::pair(block.vni, block.prefix), block);
  }
  Result<> remove_block(Vni vni, Prefix prefix) override {
    return take(blocks_, std::pair(vni, prefix));
  }
  Result<std::vector<dataplane::OverlayBlock>> blocks() override { return all(blocks_); }

  Result<> put_service(const dataplane::ServiceEntry& service) override {
    return put(services_,
               dataplane::HostState::ServiceKey(service.vip, service.port, service.protocol),
               service);
  }
  Result<> remove_service(const dataplane::HostState::ServiceKey& key) override {
    return take(services_, key);
  }
  Result<std::vector<dataplane::ServiceEntry>> services() override { return all(services_); }

  Result<std::vector<StaleSocket>> stale_sockets() override { return std::vector<StaleSocket>(); }

  Result<> put_member(const Member& member) override {
    return put(members_, member.cookie, member);
  }
  Result<> remove_member(std::uint64_t cookie) override { return take(members_, cookie); }
  Result<std::vector<Member>> members() override { return all(members_); }

  Result<> put_intercept(const Intercept& intercept, int, int) override {
    return put(intercepts_, intercept.cookie, intercept);
  }
  Result<> remove_intercept(std::uint64_t cookie) override { return take(intercepts_, cookie); }
  Result<std::vector<Intercept>> intercepts() override { return all(intercepts_); }

  Result<std::unique_ptr<FlowRing>> open_flows() override {
    return fail(Errc::unsupported, "nothing is watched in memory");
  }
  Result<std::vector<DropCount>> drops() override { return std::vector<DropCount>(); }

  Result<std::set<std::string>> missing_pins() override { return unpinned; }
  Result<> restore_pins() override {
    unpinned.clear();
    return {};
  }
  std::set<std::string> unpinned;  // as by hand

  Result<> remove_everything() override {
    ports_.clear();
    underlay_.reset();
    networks_.clear();
    addresses_.clear();
    blocks_.clear();
    services_.clear();
    members_.clear();
    intercepts_.clear();
    return {};
  }

 private:
  Result<> failure() {
    if (auto error = std::exchange(next_failure, std::nullopt))
      return std::unexpected(*std::move(error));
    return {};
  }
  template <class Map, class Key, class Value>
  Result<> put(Map& map, const Key& key, const Value& value) {
    if (auto failed = failure(); !failed) return failed;
    map[key] = value;
    return {};
  }
  template <class Map, class Key>
  Result<> take(Map& map, const Key& key) {
    map.erase(key);
    return {};
  }
  template <class Map>
  auto all(const Map& map) -> Result<std::vector<typename Map::mapped_type>> {
    std::vector<typename Map::mapped_type> values;
    for (const auto& [key, value] : map) values.push_back(value);
    return values;
  }

  std::map<IfIndex, Port> ports_;
  std::optional<UnderlayHook> underlay_;
  std::map<Vni, dataplane::OverlayNetwork> networks_;
  std::map<std::pair<Vni, IpAddr>, Address> addresses_;
  std::map<std::pair<Vni, Prefix>, dataplane::OverlayBlock> blocks_;
  std::map<dataplane::HostState::ServiceKey, dataplane::ServiceEntry> services_;
  std::map<std::uint64_t, Member> members_;
  std::map<std::uint64_t, Intercept> intercepts_;
};

}  // namespace heddle::bpf
