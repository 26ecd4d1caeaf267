#include "netd/cluster/draft.h"

#include <sys/random.h>

#include "common/base/check.h"
#include "netd/api/codec.h"

namespace heddle::cluster {

void Draft::expect(const std::string& kind, const std::string& id) {
  const store::Key key{kind, id};
  expected_.emplace(key, objects_.revision_of(key));
}

void Draft::put(store::Object object) {
  expect(object.kind, object.id);
  const store::Key key{object.kind, object.id};
  removed_.erase(key);
  puts_[key] = std::move(object);
}

void Draft::remove(const std::string& kind, const std::string& id) {
  expect(kind, id);
  const store::Key key{kind, id};
  puts_.erase(key);
  if (objects_.revision_of(key) != 0) removed_.insert(key);
}

void Draft::touch(const std::string& kind, const std::string& id) {
  puts_[{kind, id}] = {kind, id, "", {}, "", 0};
}

store::Transaction Draft::build() && {
  store::Transaction transaction;
  for (auto& [key, revision] : expected_) transaction.compares.push_back({key, revision});
  for (auto& [key, object] : puts_) transaction.puts.push_back(std::move(object));
  transaction.deletes.assign(removed_.begin(), removed_.end());
  return transaction;
}

store::Object node_object(const model::Node& node, model::Labels labels) {
  return {kNodeKind, node.id, node.name, std::move(labels), api::encode(node), 0};
}

store::Object network_object(const model::Network& network) {
  return {kNetworkKind, network.id, network.name, {}, api::encode(network), 0};
}

// Its name is unique within its network: a service is made once, whichever manager is first.
store::Object service_object(const model::Service& service) {
  return {kServiceKind, service.id,           service.name + "." + service.network,
          {},           api::encode(service), 0};
}

store::Object endpoint_object(const model::Endpoint& endpoint) {
  return {kEndpointKind, endpoint.id, "", {}, api::encode(endpoint), 0};
}

std::string block_id(const model::AddressBlock& block) {
  return block.network + "." + block.prefix.address().format() + "-" +
         std::to_string(block.prefix.length()) + "." + block.node;
}

store::Object block_object(const model::AddressBlock& block) {
  return {kBlockKind, block_id(block), "", {}, api::encode(block), 0};
}

std::string vip_id(const model::Id& network, const IpAddr& address) {
  return network + "." + address.format();
}

void change_labels(model::Labels& labels, const model::Labels& set,
                   const std::vector<std::string>& removed) {
  for (const std::string& key : removed) labels.erase(key);
  for (const auto& [key, value] : set) labels[key] = value;
}

model::Id make_id() {
  unsigned char bytes[8];
  CHECK(::getrandom(bytes, sizeof bytes, 0) == static_cast<::ssize_t>(sizeof bytes));
  std::string id;
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

}  // namespace heddle::cluster
