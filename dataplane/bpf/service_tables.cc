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
    if (backend.weight == 0)
      return fail(Errc::invalid,
                  "service " + name + ": backend " + backend.address.format() + " has no weight");
  }
  return {};
}

heddle_backend encode(const BackendAddress& backend, std::uint32_t list) {
  heddle_backend entry{};
  entry.address = backend.address.v4_be();
  entry.port = htons(backend.port);
  entry.use = static_cast<__u8>(backend.use);
  entry.weight = backend.weight;
  entry.list = list;
  return entry;
}

BackendAddress decode(const heddle_backend& entry) {
  return {.address = IpAddr::v4(ntohl(entry.address)),
          .port = ntohs(entry.port),
          .use = static_cast<dataplane::BackendUse>(entry.use),
          .weight = std::max<std::uint8_t>(entry.weight, 1)};
}

// The backends that these rows stand for. When they are not what was written, none: that is put
// right.
std::vector<BackendAddress> backends_in(const heddle_service& service,
                                        const std::map<std::uint32_t, BackendAddress>& slots) {
  std::vector<BackendAddress> rows;
  for (const auto& [slot, backend] : slots) rows.push_back(backend);
  std::vector<BackendAddress> backends = rows;
  std::ranges::sort(backends);
  const auto repeated = std::ranges::unique(backends);
  backends.erase(repeated.begin(), repeated.end());
  const BackendRows whole = rows_of(backends);
  if (whole.rows == rows && whole.ready == service.count) return backends;
  return {};
}

std::size_t rows_in(const heddle_service& service) {
  return std::size_t{service.count} + service.kept;
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
    if (rows_in(service) != 0) named.insert(service.list);
    last_list_ = std::max(last_list_, service.list);
  }
  for (const auto& [key, backend] : backends) {
    last_list_ = std::max(last_list_, key.list);
    if (named.contains(key.list)) continue;
    TRY_DO(backends_.remove(key));
  }
  return {};
}

Result<bool> ServiceTables::has_rows(const heddle_service& service,
                                     const BackendRows& wanted) const {
  if (service.count != wanted.ready || rows_in(service) != wanted.rows.size()) return false;
  for (std::uint32_t slot = 0; slot < wanted.rows.size(); ++slot) {
    TRY(const auto found, backends_.find({.list = service.list, .slot = slot}));
    if (!found || decode(*found) != wanted.rows[slot]) return false;
  }
  return true;
}

Result<> ServiceTables::write_list(std::uint32_t list, const BackendRows& rows) {
  for (std::uint32_t slot = 0; slot < rows.rows.size(); ++slot) {
    if (auto put = backends_.put({.list = list, .slot = slot}, encode(rows.rows[slot], list));
        !put) {
      const Result<> undone = delete_list(list, slot);
      (void)undone;  // no service names it; collect_garbage() finds what is left
      return put;
    }
  }
  return {};
}

Result<> ServiceTables::delete_list(std::uint32_t list, std::size_t rows) {
  for (std::uint32_t slot = 0; slot < rows; ++slot)
    TRY_DO(backends_.remove({.list = list, .slot = slot}));
  return {};
}

Result<> ServiceTables::put_service(const ServiceEntry& service) {
  TRY_DO(check(service));
  TRY(const heddle_service_key key, key_of(service.vip, service.port, service.protocol));
  TRY(const std::optional<heddle_service> before, services_.find(key));
  const BackendRows rows = rows_of(service.backends);
  if (before && before->network == service.network && before->affinity == service.affinity) {
    TRY(const bool same, has_rows(*before, rows));
    if (same) return {};
  }
  heddle_service entry{};
  entry.network = service.network;
  entry.list = ++last_list_;
  entry.count = rows.ready;
  entry.kept = static_cast<__u32>(rows.rows.size()) - rows.ready;
  entry.affinity = service.affinity;
  entry.next = before ? before->next : 0;  // a new list does not favour its first backend
  TRY_DO(write_list(entry.list, rows));
  if (auto put = services_.put(key, entry); !put) {
    const Result<> undone = delete_list(entry.list, rows.rows.size());
    (void)undone;
    return put;
  }
  if (before) return delete_list(before->list, rows_in(*before));
  return {};
}

Result<> ServiceTables::remove_service(const dataplane::HostState::ServiceKey& key) {
  const auto& [vip, port, protocol] = key;
  TRY(const heddle_service_key raw, key_of(vip, port, protocol));
  TRY(const std::optional<heddle_service> before, services_.find(raw));
  if (!before) return {};
  TRY_DO(services_.remove(raw));
  return delete_list(before->list, rows_in(*before));
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
                         .backends = {},
                         .affinity = entry.affinity};
    if (const auto list = lists.find(entry.list); list != lists.end())
      service.backends = backends_in(entry, list->second);
    services.push_back(std::move(service));
  }
  std::ranges::sort(services);
  return services;
}

}  // namespace heddle::bpf
