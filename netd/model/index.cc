#include "netd/model/index.h"

#include <optional>

namespace heddle::model {
namespace {

// An object's place in one index: nothing where it has none.
using Place = std::optional<std::string>;

Place place_of(const Endpoint* endpoint, const Id Endpoint::* where) {
  return endpoint == nullptr ? Place() : Place(endpoint->*where);
}

Place service_of(const Endpoint* endpoint, char between) {
  if (endpoint == nullptr || endpoint->service.empty()) return {};
  return endpoint->network + between + endpoint->service;
}

Place mac_of(const Endpoint* endpoint, char between) {
  if (endpoint == nullptr) return {};
  return endpoint->network + between + endpoint->mac.format();
}

Place place_of(const Workload* workload, const std::string Workload::* where) {
  return workload == nullptr ? Place() : Place(workload->*where);
}

}  // namespace

void Index::follow(const View& before, const View& after) {
  const auto move = [](Entries& entries, const Id& id, const Place& from, const Place& to) {
    if (from == to) return;
    if (from) entries.erase(*from + kEnd + id);
    if (to) entries.emplace(*to + kEnd + id, {});
  };
  before.endpoints.differences(after.endpoints, [&](const Id& id, const Endpoint* was,
                                                    const Endpoint* is) {
    move(by_workload_, id, place_of(was, &Endpoint::workload), place_of(is, &Endpoint::workload));
    move(by_network_, id, place_of(was, &Endpoint::network), place_of(is, &Endpoint::network));
    move(by_service_, id, service_of(was, kEnd), service_of(is, kEnd));
    move(by_mac_, id, mac_of(was, kEnd), mac_of(is, kEnd));
  });
  before.workloads.differences(
      after.workloads, [&](const Id& id, const Workload* was, const Workload* is) {
        move(by_sandbox_, id, place_of(was, &Workload::sandbox), place_of(is, &Workload::sandbox));
        move(by_name_, id, place_of(was, &Workload::name), place_of(is, &Workload::name));
      });
}

}  // namespace heddle::model
