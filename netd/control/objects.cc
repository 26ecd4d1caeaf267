#include "netd/control/objects.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "netd/api/codec.h"

namespace heddle::control {
namespace {

constexpr std::chrono::seconds kCommitBudget{5};

template <class T>
store::Object object_of(const char* kind, const model::Id& id, std::string name, const T& value) {
  return {.kind = kind,
          .id = id,
          .name = std::move(name),
          .labels = {},
          .payload = api::encode(value),
          .revision = 0};
}

template <class T>
Result<> read_into(store::Store& store, const char* kind, model::Table<T>& out) {
  TRY(const store::Listing listing, store.list(kind, after(kCommitBudget)));
  for (const store::Object& object : listing.objects) {
    auto value = api::decode<T>(object.payload);
    if (!value) {
      return std::unexpected(
          std::move(value).error().during(std::string("stored ") + kind + " " + object.id));
    }
    out.emplace(object.id, *std::move(value));
  }
  return {};
}

// `NETWORK ADDRESS SECONDS`
std::string format_released(const ReleasedAddress& value) {
  return value.network + " " + value.address.format() + " " +
         std::to_string(value.until.time_since_epoch().count());
}

Result<ReleasedAddress> parse_released(const std::string& payload) {
  std::istringstream fields(payload);
  ReleasedAddress value;
  std::string address;
  std::int64_t until = 0;
  fields >> value.network >> address >> until;
  if (!fields || !(fields >> std::ws).eof()) {
    return fail(Errc::invalid, "'" + payload.substr(0, 80) + "' is not NETWORK ADDRESS SECONDS");
  }
  TRY(value.address, IpAddr::parse(address));
  value.until = model::Time(std::chrono::seconds(until));
  return value;
}

Result<> read_released(store::Store& store, std::map<std::string, ReleasedAddress>& out) {
  TRY(const store::Listing listing, store.list("released", after(kCommitBudget)));
  for (const store::Object& object : listing.objects) {
    TRY(auto value, parse_released(object.payload).during("stored released address " + object.id));
    out.emplace(object.id, std::move(value));
  }
  return {};
}

}  // namespace

Result<Objects> Objects::load(store::Store& store) {
  Objects objects(store);
  TRY_DO(read_into(store, "network", objects.networks_));
  TRY_DO(read_into(store, "workload", objects.workloads_));
  TRY_DO(read_into(store, "endpoint", objects.endpoints_));
  TRY_DO(read_into(store, "service", objects.services_));
  TRY_DO(read_into(store, "sidecar", objects.sidecars_));
  TRY_DO(read_into(store, "load_balancer", objects.load_balancers_));
  TRY_DO(read_released(store, objects.released_));
  for (const auto& [id, endpoint] : objects.endpoints_) {
    objects.by_workload_.emplace(endpoint.workload, id);
  }
  return objects;
}

std::vector<model::Endpoint> Objects::endpoints_of(const model::Id& workload) const {
  std::vector<model::Endpoint> own;
  for (auto it = by_workload_.lower_bound({workload, {}});
       it != by_workload_.end() && it->first == workload; ++it) {
    own.push_back(endpoints_.at(it->second));
  }
  return own;
}

void Objects::place(model::Table<model::Endpoint>& endpoints, const model::Id& id,
                    model::Endpoint value) {
  remove(endpoints, id);
  by_workload_.emplace(value.workload, id);
  endpoints.emplace(id, std::move(value));
}

void Objects::remove(model::Table<model::Endpoint>& endpoints, const model::Id& id) {
  const auto found = endpoints.find(id);
  if (found == endpoints.end()) return;
  by_workload_.erase({found->second.workload, id});
  endpoints.erase(id);
}

Result<> Objects::commit(Batch batch) {
  if (batch.empty()) return {};
  batch.transaction_.outlives =
      is_lasting(batch) ? store::Outlives::machine : store::Outlives::process;
  TRY_DO(store_->commit(batch.transaction_, after(kCommitBudget)).during("store"));
  for (const auto& edit : batch.edits_) edit(*this);
  return {};
}

bool Objects::is_lasting(const Batch& batch) const {
  return std::ranges::any_of(batch.lasting_, [&](const auto& lasts) { return lasts(*this); });
}

bool Objects::lasts(const model::Workload& workload) const {
  return workload.kind != model::WorkloadKind::netns && workload.kind != model::WorkloadKind::pid;
}

// Of a workload that is not known yet its own entry in the batch tells.
bool Objects::lasts(const model::Endpoint& endpoint) const {
  return lasts(workloads_, endpoint.workload);
}

bool Objects::lasts(const model::Sidecar& sidecar) const {
  return lasts(workloads_, sidecar.workload);
}

// Names are unique where users meet them: networks, workloads and load balancers. Services are
// unique in their network, which the control executor checks.
#define HEDDLE_BATCH_PUT(Type, kind, member, id_of, name_of)                                \
  Objects::Batch& Objects::Batch::put(model::Type value) {                                  \
    transaction_.puts.push_back(object_of(kind, value.id_of, name_of, value));              \
    lasting_.push_back([value](const Objects& o) { return o.lasts(value); });               \
    edits_.push_back(                                                                       \
        [value = std::move(value)](Objects& o) { o.place(o.member, value.id_of, value); }); \
    return *this;                                                                           \
  }
HEDDLE_BATCH_PUT(Network, "network", networks_, id, value.name)
HEDDLE_BATCH_PUT(Workload, "workload", workloads_, id, value.name)
HEDDLE_BATCH_PUT(Endpoint, "endpoint", endpoints_, id, "")
HEDDLE_BATCH_PUT(Service, "service", services_, id, "")
HEDDLE_BATCH_PUT(Sidecar, "sidecar", sidecars_, workload, "")
HEDDLE_BATCH_PUT(LoadBalancer, "load_balancer", load_balancers_, id, value.name)
#undef HEDDLE_BATCH_PUT

#define HEDDLE_BATCH_REMOVE(kind, member)                                         \
  Objects::Batch& Objects::Batch::remove_##kind(const model::Id& id) {            \
    transaction_.deletes.push_back({#kind, id});                                  \
    lasting_.push_back([id](const Objects& o) { return o.lasts(o.member, id); }); \
    edits_.push_back([id](Objects& o) { o.remove(o.member, id); });               \
    return *this;                                                                 \
  }
HEDDLE_BATCH_REMOVE(network, networks_)
HEDDLE_BATCH_REMOVE(workload, workloads_)
HEDDLE_BATCH_REMOVE(endpoint, endpoints_)
HEDDLE_BATCH_REMOVE(service, services_)
HEDDLE_BATCH_REMOVE(sidecar, sidecars_)
HEDDLE_BATCH_REMOVE(load_balancer, load_balancers_)
#undef HEDDLE_BATCH_REMOVE

// Neither is owed to a power cut: addresses rest for half a minute.
Objects::Batch& Objects::Batch::remove_released(const std::string& id) {
  transaction_.deletes.push_back({"released", id});
  edits_.push_back([id](Objects& o) { o.released_.erase(id); });
  return *this;
}

Objects::Batch& Objects::Batch::put(ReleasedAddress value) {
  std::string id = released_id(value.network, value.address);
  transaction_.puts.push_back({.kind = "released",
                               .id = id,
                               .name = "",
                               .labels = {},
                               .payload = format_released(value),
                               .revision = 0});
  edits_.push_back(
      [id = std::move(id), value = std::move(value)](Objects& o) { o.released_[id] = value; });
  return *this;
}

// The store's ids have no colons.
std::string released_id(const model::Id& network, const IpAddr& address) {
  std::string text = address.format();
  std::ranges::replace(text, ':', '-');
  return network + "." + text;
}

}  // namespace heddle::control
