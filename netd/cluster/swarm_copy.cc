#include "netd/cluster/swarm_copy.h"

#include "netd/api/codec.h"
#include "netd/api/node.pb.h"
#include "netd/cluster/records.pb.h"
#include "netd/cluster/replica.h"

namespace heddle::cluster {
namespace {

template <class T>
Result<> take_into(std::map<std::string, T>& into, const node::v1::Item& item) {
  if (item.removed()) {
    into.erase(item.id());
    return {};
  }
  TRY(into[item.id()], api::decode<T>(item.payload()).during(item.kind() + " " + item.id()));
  return {};
}

template <class T>
void put_items(const char* kind, const std::map<std::string, T>& from, LastState& to) {
  for (const auto& [id, value] : from) {
    node::v1::Item& item = *to.add_items();
    item.set_kind(kind);
    item.set_id(id);
    item.set_payload(api::encode(value));
  }
}

template <class T>
std::vector<T> values_of(const std::map<std::string, T>& map) {
  std::vector<T> values;
  values.reserve(map.size());
  for (const auto& [id, value] : map) values.push_back(value);
  return values;
}

}  // namespace

// Kinds that this version does not know are a newer manager's: passed over.
template <class Item>
Result<> SwarmCopy::Contents::take(const Item& item) {
  if (item.kind() == kNodeKind) return take_into(nodes, item);
  if (item.kind() == kNetworkKind) return take_into(networks, item);
  if (item.kind() == kServiceKind) return take_into(services, item);
  if (item.kind() == kEndpointKind) return take_into(endpoints, item);
  if (item.kind() == kBlockKind) return take_into(blocks, item);
  if (item.kind() == kSwarmKind && !item.removed()) {
    TRY(swarm, api::decode<model::Swarm>(item.payload()).during("swarm"));
  }
  return {};
}

Result<bool> SwarmCopy::apply(const node::v1::State& state) {
  if (!pending_) {
    pending_ = state.whole() ? std::make_unique<Contents>() : std::make_unique<Contents>(contents_);
  }
  for (const node::v1::Item& item : state.items()) {
    if (auto taken = pending_->take(item); !taken) {
      pending_.reset();
      return std::unexpected(std::move(taken).error());
    }
  }
  if (state.more()) return false;
  pending_->revision = state.revision();
  contents_ = std::move(*pending_);
  pending_.reset();
  return true;
}

SwarmState SwarmCopy::state() const {
  SwarmState state;
  state.swarm = contents_.swarm;
  state.self = self_;
  state.revision = contents_.revision;
  state.nodes = values_of(contents_.nodes);
  state.networks = values_of(contents_.networks);
  state.services = values_of(contents_.services);
  state.endpoints = values_of(contents_.endpoints);
  state.blocks = model::Blocks(values_of(contents_.blocks));
  return state;
}

std::vector<std::string> SwarmCopy::managers() const {
  std::vector<std::string> managers;
  for (const auto& [id, node] : contents_.nodes) {
    if (node.role != model::NodeRole::manager) continue;
    managers.push_back(SocketAddr{node.address, node.api_port}.format());
  }
  return managers;
}

std::string SwarmCopy::save(const model::Id& swarm) const {
  LastState saved;
  saved.set_swarm(swarm);
  saved.set_revision(contents_.revision);
  put_items(kSwarmKind, std::map<std::string, model::Swarm>{{"swarm", contents_.swarm}}, saved);
  put_items(kNodeKind, contents_.nodes, saved);
  put_items(kNetworkKind, contents_.networks, saved);
  put_items(kServiceKind, contents_.services, saved);
  put_items(kEndpointKind, contents_.endpoints, saved);
  put_items(kBlockKind, contents_.blocks, saved);
  return saved.SerializeAsString();
}

Result<> SwarmCopy::load(const model::Id& swarm, const std::string& bytes) {
  LastState saved;
  if (!saved.ParseFromString(bytes) || saved.revision() == 0) {
    return fail(Errc::invalid, "it cannot be read");
  }
  if (saved.swarm() != swarm) return fail(Errc::invalid, "it is of swarm " + saved.swarm());
  Contents fresh;
  for (const node::v1::Item& item : saved.items()) TRY_DO(fresh.take(item));
  fresh.revision = saved.revision();
  contents_ = std::move(fresh);
  return {};
}

}  // namespace heddle::cluster
