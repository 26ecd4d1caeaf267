#include "netd/store/etcd_keys.h"

namespace heddle::store {

std::string EtcdKeys::object(const Key& key) const {
  return prefix_ + "o/" + key.kind + "/" + key.id;
}

std::string EtcdKeys::name(const std::string& kind, const std::string& name) const {
  return prefix_ + "n/" + kind + "/" + name;
}

EtcdKeys::Range EtcdKeys::objects(const std::string& kind) const {
  const std::string stem = prefix_ + (kind.empty() ? "o" : "o/" + kind);
  return {stem + "/", stem + "0"};  // '0' follows '/'
}

std::optional<Key> EtcdKeys::parse_object(std::string_view key) const {
  const std::string stem = prefix_ + "o/";
  if (!key.starts_with(stem)) return std::nullopt;
  key.remove_prefix(stem.size());
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return Key{std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

}  // namespace heddle::store
