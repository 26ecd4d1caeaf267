#include "dataplane/bpf/service_tables.h"

#include <arpa/inet.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>

#include "ebpf/abi/maps.h"

namespace heddle::bpf {
namespace {

using dataplane::BackendAddress;
using dataplane::Protocol;
using dataplane::ServiceEntry;

Result<heddle_service_key> key_of(const IpAddr& vip, std::uint16_t port, Protocol protocol) {
  if (!vip.is_v4() || vip.is_unspecified())
    return fail(Errc::invalid, "the VIP " + vip.format() + " is not an IPv4 address");
  heddle_service_key key{};
  key.vip = vip.v4_be();
  key.port = htons(port);
  key.protocol = static_cast<__u8>(protocol);
  return key;
}

Result<> check(const ServiceEntry& service) {
  const std::string name = service.vip.format() + ":" + std::to_string(service.port);
  if (service.port == 0) return fail(Errc::invalid, "service " + name + " has port 0");
  if (service.network == HEDDLE_MEMBER_SELF)
    return fail(Errc::invalid, "service " + name + " names no network");
  if (service.backends.size() > HEDDLE_SERVICE_BACKENDS_MAX)
    return fail(Errc::exhausted, "service " + name + " has " +
                                     std::to_string(service.backends.size()) +
                                     " backends; a VIP balances over at most " +
                                     std::to_string(HEDDLE_SERVICE_BACKENDS_MAX));
  for (const BackendAddress& backend : service.backends) {
    if (!backend.address.is_v4() || backend.address.is_unspecified() || backend.port == 0)
      return fail(Errc::invalid, "service " + name + ": backend " + backend.address.format() + ":" +
                                     std::to_string(backend.port) +
                                     " is not an IPv4 address and port");
  }
  return {};
}

heddle_backend encode(const BackendAddress& backend, std::uint32_t list) {
  heddle_backend entry{};
  entry.address = backend.address.v4_be();
  entry.port = htons(backend.port);
  entry.list = list;
  return entry;
}

BackendAddress decode(const heddle_backend& entry) {
  return {.address = IpAddr::v4(ntohl(entry.address)), .port = ntohs(entry.port)};
}

}  // namespace

Result<ServiceTables> ServiceTables::open(const Objects& objects) {
  TRY(auto services, Services::open(objects.map(HEDDLE_MAP_SERVICES), HEDDLE_MAP_SERVICES));
  TRY(auto backends, Backends::open(objects.map(HEDDLE_MAP_BACKENDS), HEDDLE_MAP_BACKENDS));
  ServiceTables tables(std::move(services), std::move(backends));
  TRY_DO(tables.collect_garbage());
  return tables;
}

Result<> ServiceTables::collect_garbage() {
  TRY(const auto services, services_.entries());
  TRY(const auto backends, backends_.entries());
  std::unordered_set<std::uint32_t> named;
  for (const auto& [key, service] : services) {
    if (service.count != 0) named.insert(service.list);
    last_list_ = std::max(last_list_, service.list);
  }
  for (const auto& [key, backend] : backends) {
    last_list_ = std::max(last_list_, key.list);
    if (named.contains(key.list)) continue;
    TRY_DO(backends_.remove(key));
  }
  return {};
}

Result<bool> ServiceTables::has_backends(const heddle_service& service,
                                         const std::vector<BackendAddress>& wanted) const {
  if (service.count != wanted.size()) return false;
  for (std::uint32_t slot = 0; slot < service.count; ++slot) {
    TRY(const auto found, backends_.find({.list = service.list, .slot = slot}));
    if (!found || decode(*found) != wanted[slot]) return false;
  }
  return true;
}

Result<> ServiceTables::write_list(std::uint32_t list,
                                   const std::vector<BackendAddress>& backends) {
  for (std::uint32_t slot = 0; slot < backends.size(); ++slot) {
    if (auto put = backends_.put({.list = list, .slot = slot}, encode(backends[slot], list));
        !put) {
      const Result<> undone = delete_list(list, slot);
      (void)undone;  // no service names it; collect_garbage() finds what is left
      return put;
    }
  }
  return {};
}

Result<> ServiceTables::delete_list(std::uint32_t list, std::uint32_t count) {
  for (std::uint32_t slot = 0; slot < count; ++slot)
    TRY_DO(backends_.remove({.list = list, .slot = slot}));
  return {};
}

Result<> ServiceTables::put_service(const ServiceEntry& service) {
  TRY_DO(check(service));
  TRY(const heddle_service_key key, key_of(service.vip, service.port, service.protocol));
  TRY(const std::optional<heddle_service> before, services_.find(key));
  if (before && before->network == service.network) {
    TRY(const bool same, has_backends(*before, service.backends));
    if (same) return {};
  }
  heddle_service entry{};
  entry.network = service.network;
  entry.list = ++last_list_;
  entry.count = static_cast<__u32>(service.backends.size());
  entry.next = before ? before->next : 0;  // a new list does not favour its first backend
  TRY_DO(write_list(entry.list, service.backends));
  if (auto put = services_.put(key, entry); !put) {
    const Result<> undone = delete_list(entry.list, entry.count);
    (void)undone;
    return put;
  }
  if (before) return delete_list(before->list, before->count);
  return {};
}

Result<> ServiceTables::remove_service(const dataplane::HostState::ServiceKey& key) {
  const auto& [vip, port, protocol] = key;
  TRY(const heddle_service_key raw, key_of(vip, port, protocol));
  TRY(const std::optional<heddle_service> before, services_.find(raw));
  if (!before) return {};
  TRY_DO(services_.remove(raw));
  return delete_list(before->list, before->count);
}

Result<std::vector<ServiceEntry>> ServiceTables::services() const {
  TRY(const auto entries, services_.entries());
  TRY(const auto slots, backends_.entries());
  std::map<std::uint32_t, std::map<std::uint32_t, BackendAddress>> lists;
  for (const auto& [key, backend] : slots) lists[key.list][key.slot] = decode(backend);
  std::vector<ServiceEntry> services;
  services.reserve(entries.size());
  for (const auto& [key, entry] : entries) {
    ServiceEntry service{.network = entry.network,
                         .vip = IpAddr::v4(ntohl(key.vip)),
                         .port = ntohs(key.port),
                         .protocol = static_cast<Protocol>(key.protocol),
                         .backends = {}};
    if (const auto list = lists.find(entry.list); list != lists.end()) {
      for (const auto& [slot, backend] : list->second) service.backends.push_back(backend);
    }
    std::ranges::sort(service.backends);
    services.push_back(std::move(service));
  }
  std::ranges::sort(services);
  return services;
}

}  // namespace heddle::bpf
