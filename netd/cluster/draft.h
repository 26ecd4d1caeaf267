#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "netd/cluster/replica.h"
#include "netd/store/store.h"

namespace heddle::cluster {

// A transaction under construction, over objects as a Replica saw them: whatever is read, changed
// or removed through it is compared at commit. Lives while the Objects are locked.
class Draft {
 public:
  explicit Draft(const Objects& objects) : objects_(objects) {}

  // The object, or its absence, must be as it is now.
  void expect(const std::string& kind, const std::string& id);
  // expect() and write or remove.
  void put(store::Object object);
  void remove(const std::string& kind, const std::string& id);
  // Writes a guard whatever its revision.
  void touch(const std::string& kind, const std::string& id);

  bool empty() const { return puts_.empty() && removed_.empty(); }
  store::Transaction build() &&;

 private:
  const Objects& objects_;
  std::map<store::Key, store::Revision> expected_;
  std::map<store::Key, store::Object> puts_;
  std::set<store::Key> removed_;
};

store::Object node_object(const model::Node& node, model::Labels labels);
store::Object network_object(const model::Network& network);
store::Object service_object(const model::Service& service);
store::Object endpoint_object(const model::Endpoint& endpoint);
store::Object block_object(const model::AddressBlock& block);
std::string block_id(const model::AddressBlock& block);
std::string vip_id(const model::Id& network, const IpAddr& address);

void change_labels(model::Labels& labels, const model::Labels& set,
                   const std::vector<std::string>& removed);

model::Id make_id();  // 16 random hexadecimal digits

}  // namespace heddle::cluster
