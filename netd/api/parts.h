#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "netd/api/codec.h"
#include "netd/api/field.h"
#include "netd/api/model.pb.h"

// How the translator reads what many messages have: enums, maps, lists.
namespace heddle::api {

// proto3 enums are open: a newer or hostile peer may send any number.
template <class Ours, class Theirs>
Result<Ours> enum_field(std::string_view field, Theirs value, bool (*is_valid)(int)) {
  if (is_valid(value)) return static_cast<Ours>(static_cast<int>(value));
  return fail(Errc::invalid, std::string(field) + ": " + std::to_string(static_cast<int>(value)) +
                                 " is not a value that this version knows");
}

using Strings = google::protobuf::Map<std::string, std::string>;

inline void put_map(const std::map<std::string, std::string>& from, Strings& to) {
  to.clear();
  for (const auto& [key, value] : from) to[key] = value;
}

inline Result<std::map<std::string, std::string>> map_field(std::string_view field,
                                                            const Strings& from) {
  std::map<std::string, std::string> to(from.begin(), from.end());
  TRY_DO(check_map(field, to));
  return to;
}

inline std::int64_t seconds(model::Time time) {
  return time.time_since_epoch().count();
}

// A list of messages, each read by from_proto and named `field[i]` in errors.
template <class Ours, class Theirs>
Result<> read_list(std::string_view field, const Theirs& from, std::vector<Ours>& to) {
  TRY_DO(check_count(field, static_cast<std::size_t>(from.size()), kMaxEntries));
  to.clear();
  for (int i = 0; i < from.size(); ++i) {
    TRY(auto value, from_proto(from.Get(i)).during(at(field, i)));
    to.push_back(std::move(value));
  }
  return {};
}

}  // namespace heddle::api
