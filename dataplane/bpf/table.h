#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace heddle::bpf {

// A BPF hash, array or trie map by descriptor; keys and values are the plain structs of ebpf/abi.
// Errors: `exhausted` with the map's name and maximum when it is full, `denied` without CAP_BPF.
class RawTable {
 public:
  // Dups `fd`. The map's key and value must have these sizes.
  static Result<RawTable> open(int fd, std::string name, std::size_t key_bytes,
                               std::size_t value_bytes);

  Result<bool> find(const void* key, void* value) const;  // false: absent
  Result<> put(const void* key, const void* value);
  Result<> remove(const void* key);  // absence is success
  // Every entry, key after key and value after value.
  Result<std::size_t> dump(std::vector<std::byte>& keys, std::vector<std::byte>& values) const;

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }

 private:
  RawTable(UniqueFd fd, std::string name, std::size_t key_bytes, std::size_t value_bytes,
           std::uint32_t maximum)
      : fd_(std::move(fd)),
        name_(std::move(name)),
        key_bytes_(key_bytes),
        value_bytes_(value_bytes),
        maximum_(maximum) {}

  UniqueFd fd_;
  std::string name_;
  std::size_t key_bytes_;
  std::size_t value_bytes_;
  std::uint32_t maximum_;
};

template <class Key, class Value>
class Table {
 public:
  static Result<Table> open(int fd, std::string name) {
    TRY(RawTable raw, RawTable::open(fd, std::move(name), sizeof(Key), sizeof(Value)));
    return Table(std::move(raw));
  }

  Result<std::optional<Value>> find(const Key& key) const {
    Value value{};
    TRY(const bool found, raw_.find(&key, &value));
    if (!found) return std::optional<Value>();
    return std::optional<Value>(value);
  }
  Result<> put(const Key& key, const Value& value) { return raw_.put(&key, &value); }
  Result<> remove(const Key& key) { return raw_.remove(&key); }

  Result<std::vector<std::pair<Key, Value>>> entries() const {
    std::vector<std::byte> keys;
    std::vector<std::byte> values;
    TRY(const std::size_t count, raw_.dump(keys, values));
    std::vector<std::pair<Key, Value>> entries(count);
    for (std::size_t i = 0; i < count; ++i) {
      __builtin_memcpy(&entries[i].first, keys.data() + i * sizeof(Key), sizeof(Key));
      __builtin_memcpy(&entries[i].second, values.data() + i * sizeof(Value), sizeof(Value));
    }
    return entries;
  }

  int fd() const { return raw_.fd(); }

 private:
  explicit Table(RawTable raw) : raw_(std::move(raw)) {}
  RawTable raw_;
};

}  // namespace heddle::bpf
