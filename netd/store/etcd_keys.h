#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "netd/store/store.h"

namespace heddle::store {

// Where things are in etcd, under one prefix: objects at o/<kind>/<id>, and at n/<kind>/<name> the
// id of the object that holds the name.
class EtcdKeys {
 public:
  explicit EtcdKeys(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string object(const Key& key) const;
  std::string name(const std::string& kind, const std::string& name) const;
  // All objects of a kind, or of every kind when empty: the first key, and the first behind them.
  struct Range {
    std::string begin;
    std::string end;
  };
  Range objects(const std::string& kind) const;
  // Absent for what is no object's key.
  std::optional<Key> parse_object(std::string_view key) const;

 private:
  std::string prefix_;
};

}  // namespace heddle::store
