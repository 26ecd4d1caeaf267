#include "netd/store/record.h"

#include <set>
#include <utility>

#include "netd/store/record.pb.h"

namespace heddle::store {
namespace {

constexpr std::size_t kMaxKeyPart = 64;
constexpr std::size_t kMaxName = 255;

bool is_key_part(std::string_view text) {
  if (text.empty() || text.size() > kMaxKeyPart) return false;
  for (const char c : text) {
    const bool allowed =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!allowed) return false;
  }
  return true;
}

std::unexpected<Error> bad_key_part(std::string_view what, std::string_view text) {
  return fail(Errc::invalid, "store " + std::string(what) + " '" + std::string(text.substr(0, 80)) +
                                 "' is not 1 to 64 of a-z, 0-9, '.', '_' and '-'");
}

// A name is any printable text, since it becomes part of a key in etcd.
bool is_name(std::string_view name) {
  if (name.size() > kMaxName) return false;
  for (const unsigned char c : name) {
    if (c <= ' ' || c == 0x7f) return false;
  }
  return true;
}

Result<> check_object(const Object& object) {
  const Key key{object.kind, object.id};
  if (!is_name(object.name)) {
    return fail(Errc::invalid, describe(key) + ": its name has spaces or control characters, or " +
                                   "more than 255 bytes");
  }
  if (object.payload.size() > kMaxPayload) {
    return fail(Errc::invalid, describe(key) + ": " + std::to_string(object.payload.size()) +
                                   " bytes are more than an object's limit of " +
                                   std::to_string(kMaxPayload));
  }
  std::size_t label_bytes = 0;
  for (const auto& [label, value] : object.labels) label_bytes += label.size() + value.size();
  if (label_bytes > kMaxLabelBytes) {
    return fail(Errc::invalid, describe(key) + ": " + std::to_string(label_bytes) +
                                   " bytes of labels are more than the limit of " +
                                   std::to_string(kMaxLabelBytes));
  }
  return {};
}

}  // namespace

Result<> check_kind(const std::string& kind) {
  if (!is_key_part(kind)) return bad_key_part("kind", kind);
  return {};
}

Result<> check_key(const Key& key) {
  TRY_DO(check_kind(key.kind));
  if (!is_key_part(key.id)) return bad_key_part("id", key.id);
  return {};
}

Result<> check_transaction(const Transaction& transaction) {
  if (transaction.puts.size() + transaction.deletes.size() > kMaxOperations ||
      transaction.compares.size() > kMaxOperations) {
    return fail(Errc::invalid, "a transaction of more than " + std::to_string(kMaxOperations) +
                                   " operations; split it");
  }
  std::set<Key> written;
  std::set<std::pair<std::string, std::string>> names;
  const auto write_once = [&](const Key& key) -> Result<> {
    TRY_DO(check_key(key));
    if (written.insert(key).second) return {};
    return fail(Errc::invalid, describe(key) + " is written twice in one transaction");
  };
  for (const Compare& compare : transaction.compares) TRY_DO(check_key(compare.key));
  for (const Object& object : transaction.puts) {
    TRY_DO(write_once({object.kind, object.id}));
    TRY_DO(check_object(object));
    if (!object.name.empty() && !names.emplace(object.kind, object.name).second) {
      return fail(Errc::invalid, "two objects of one transaction are to be named " + object.kind +
                                     " '" + object.name + "'");
    }
  }
  for (const Key& key : transaction.deletes) TRY_DO(write_once(key));
  return {};
}

std::string describe(const Key& key) {
  return key.kind + " " + key.id;
}

Error compare_failed(const Compare& compare, Revision found) {
  const std::string object = describe(compare.key);
  if (compare.revision == 0) return {Errc::conflict, object + " exists already"};
  if (found == 0) return {Errc::conflict, object + " was removed meanwhile"};
  return {Errc::conflict, object + " was changed meanwhile (revision " + std::to_string(found) +
                              " instead of " + std::to_string(compare.revision) + ")"};
}

Error name_taken(const std::string& kind, const std::string& name, const std::string& holder) {
  return {Errc::conflict,
          "the " + kind + " name '" + name + "' is taken by " + describe({kind, holder})};
}

std::string encode_record(const Object& object) {
  Record record;
  record.set_name(object.name);
  for (const auto& [key, value] : object.labels) {
    Label& label = *record.add_labels();
    label.set_key(key);
    label.set_value(value);
  }
  record.set_payload(object.payload);
  return record.SerializeAsString();
}

Result<Object> decode_record(Key key, Revision revision, std::string_view bytes) {
  Record record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Errc::internal, describe(key) + ": its stored record cannot be read");
  }
  Object object;
  object.kind = std::move(key.kind);
  object.id = std::move(key.id);
  object.name = std::move(*record.mutable_name());
  for (auto& label : *record.mutable_labels()) {
    object.labels[std::move(*label.mutable_key())] = std::move(*label.mutable_value());
  }
  object.payload = std::move(*record.mutable_payload());
  object.revision = revision;
  return object;
}

}  // namespace heddle::store
