#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "netd/store/store.h"

namespace heddle::store {

inline constexpr std::size_t kMaxOperations = 16384;     // puts and deletes of one transaction
inline constexpr std::size_t kMaxLabelBytes = 64 << 10;  // all keys and values of one object

// The rules that both engines share. Errors: `invalid`, naming the object.
Result<> check_key(const Key& key);
Result<> check_kind(const std::string& kind);
// Keys, names, sizes, and that no key or name is written twice.
Result<> check_transaction(const Transaction& transaction);

// `network 12ab`: how errors name an object.
std::string describe(const Key& key);
Error compare_failed(const Compare& compare, Revision found);
Error name_taken(const std::string& kind, const std::string& name, const std::string& holder);

// Name, labels and payload as one value.
std::string encode_record(const Object& object);
// Errors: `internal` when the bytes are not what encode_record made.
Result<Object> decode_record(Key key, Revision revision, std::string_view bytes);

}  // namespace heddle::store
